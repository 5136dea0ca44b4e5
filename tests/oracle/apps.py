"""flowsweep beside scikit-learn and PyTorch on the same rows of the apps data.

    python tests/oracle/apps.py FLOWSWEEP DATA_FOLDER [--seeds 3] [--epochs 12] [--steps 5 10 25]

Ordered split (70 % train, 5 % stop, 5 % validation, 20 % test), 40,000 training rows at random, 53 labels, signed sizes. The rows are written to a file of
their own with a split file, so that both sides see the same. Oracles: scikit-learn 1.9.1, PyTorch 2.15 (python -m pip install scikit-learn torch).
"""
import argparse
import csv
import gzip
import os
import sqlite3
import subprocess
import tempfile

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score

STEPS, CLIP = 25, 1500


def read(path):
    labels, rows = [], []
    with gzip.open(path, "rt") as f:
        reader = csv.reader(f)
        next(reader)
        for line in reader:
            labels.append(line[0])
            rows.append(line[1:])
    return np.array(labels), rows


def aligned(rows):
    x = np.zeros((len(rows), STEPS), np.float32)
    for i, r in enumerate(rows):
        packets = [(float(r[t]), float(r[75 + t])) for t in range(STEPS)]
        real = [s * d for s, d in packets if d != 0]
        x[i, : len(real)] = np.clip(real, -CLIP, CLIP)
    return x


def split(n, rng):
    a, b, c = int(0.7 * n), int(0.75 * n), int(0.8 * n)
    train = np.sort(rng.choice(a, 40000, replace=False))
    return train, np.arange(a, b), np.arange(b, c), np.arange(c, n)


CONFIG = """
study = { name = "oracle"; database = "%(db)s"; seed = %(seed)d; metric = "macro_f1"; };
data = { path = "rows.csv"; clip = 1500; split = { method = "file"; path = "split.txt"; }; };
task = { top_n = [0]; steps = [%(steps)d]; };
space = { model = [%(model)s];
  train = { learning_rate = 0.001; batch_size = 128; epochs = %(epochs)d; patience = 0; };
  cnn_lstm = { embedding = 32; filters = ( [64] ); kernel_size = 3; pool_size = 2; units = 128; dense = 64; dropout = 0.3; };
  random_forest = { n_estimators = 100; }; };
ranks = { cnn_lstm = 2; random_forest = 2; };
"""


def flowsweep(program, folder, seed, model, epochs, steps=STEPS):
    db = f"{model.strip(chr(34))}{seed}_{steps}.db"
    with open(f"{folder}/study.cfg", "w") as f:
        f.write(CONFIG % dict(db=db, seed=seed, model=model, epochs=epochs, steps=steps))
    subprocess.run([program, "run", "study.cfg", "-q", "-n", "2"], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    con = sqlite3.connect(f"{folder}/{db}")
    blob = con.execute(
        "SELECT p.truth, p.labels FROM prediction p JOIN trial t ON t.id = p.trial JOIN configuration c ON c.id = t.configuration"
        " WHERE p.part = 'test' AND c.model = ?", (model.strip('"'),)).fetchone()
    truth, labels = (np.frombuffer(b, np.int32) for b in blob)
    return accuracy_score(truth, labels), f1_score(truth, labels, average="macro", labels=np.unique(truth))


def torch_cnn_lstm(x, y, train, test, classes, epochs, seed):
    import torch
    from torch import nn

    torch.manual_seed(seed)
    torch.set_num_threads(2)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(2 * CLIP + 2, 32)
            nn.init.uniform_(self.embed.weight, -0.05, 0.05)
            self.conv, self.lstm = nn.Conv1d(32, 64, 3), nn.LSTM(64, 128, batch_first=True)
            self.dense, self.out, self.drop = nn.Linear(128, 64), nn.Linear(64, classes), nn.Dropout(0.3)
            for m in (self.conv, self.dense, self.out):
                nn.init.xavier_uniform_(m.weight)
                nn.init.zeros_(m.bias)
            nn.init.xavier_uniform_(self.lstm.weight_ih_l0)
            nn.init.orthogonal_(self.lstm.weight_hh_l0)
            nn.init.zeros_(self.lstm.bias_ih_l0)
            nn.init.zeros_(self.lstm.bias_hh_l0)
            self.lstm.bias_hh_l0.data[128:256] = 1

        def forward(self, t):
            h = torch.relu(self.conv(self.embed(t).transpose(1, 2)))
            h = self.drop(nn.functional.max_pool1d(h, 2)).transpose(1, 2)
            h = self.lstm(h)[0][:, -1]
            return self.out(torch.relu(self.dense(self.drop(h))))

    tokens = torch.tensor(np.where(x == 0, 0, np.rint(x) + CLIP + 1).astype(np.int64))
    target = torch.tensor(y)
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=0.001, eps=1e-7)
    for _ in range(epochs):
        net.train()
        order = torch.tensor(train)[torch.randperm(len(train))]
        for at in range(0, len(order), 128):
            i = order[at : at + 128]
            opt.zero_grad()
            nn.functional.cross_entropy(net(tokens[i]), target[i]).backward()
            opt.step()
    net.eval()
    with torch.no_grad():
        p = torch.cat([net(tokens[test[a : a + 4096]]).argmax(1) for a in range(0, len(test), 4096)]).numpy()
    return accuracy_score(y[test], p), f1_score(y[test], p, average="macro", labels=np.unique(y[test]))


def show(name, figures):
    a, f = np.array(figures).T
    print(f"{name:44s} accuracy {a.mean():.4f} +- {a.std():.4f}   macro F1 {f.mean():.4f} +- {f.std():.4f}", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("flowsweep")
    p.add_argument("data")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--epochs", type=int, default=12)
    p.add_argument("--steps", type=int, nargs="*", default=[5, 10, 25])
    a = p.parse_args()
    program = os.path.abspath(a.flowsweep)
    labels, rows = read(f"{a.data}/apps/flows.csv.gz")
    parts = split(len(labels), np.random.default_rng(1))
    keep = np.concatenate(parts)
    names, y = np.unique(labels[keep], return_inverse=True)
    x = aligned([rows[i] for i in keep])
    edges = np.cumsum([0] + [len(q) for q in parts])
    train, test = np.arange(edges[1]), np.arange(edges[3], edges[4])
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/rows.csv", "w") as f:
            for i in keep:
                f.write(labels[i] + "," + ",".join(rows[i]) + "\n")
        with open(f"{folder}/split.txt", "w") as f:
            for name, q in zip(("train", "stop", "validation", "test"), parts):
                f.write(f"{name}\n" * len(q))
        seeds = range(1, a.seeds + 1)
        for steps in a.steps:
            show(f"forest, {steps} packets: flowsweep", [flowsweep(program, folder, s, '"random_forest"', a.epochs, steps) for s in seeds])
            figures = []
            for s in seeds:
                m = RandomForestClassifier(100, random_state=s, n_jobs=2).fit(x[train, :steps], y[train])
                q = m.predict(x[test, :steps])
                figures.append((accuracy_score(y[test], q), f1_score(y[test], q, average="macro", labels=np.unique(y[test]))))
            show(f"forest, {steps} packets: scikit-learn", figures)
        show("CNN-LSTM with embedding: flowsweep", [flowsweep(program, folder, s, '"cnn_lstm"', a.epochs) for s in seeds])
        show("CNN-LSTM with embedding: PyTorch", [torch_cnn_lstm(x, y, train, test, len(names), a.epochs, s) for s in seeds])


main()
