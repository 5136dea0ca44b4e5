"""Is each network as accurate as its PyTorch twin? The same rows, protocol and starting values' distributions, seed after seed, on the apps data.

    python tests/oracle/twins.py FLOWSWEEP DATA_FOLDER [--seeds 10] [--epochs 15] [--models dnn cnn_lstm cnn_gru] [--processes 2]

Ordered split (70 % train, 5 % stop, 5 % validation, 20 % test), 40,000 training rows at random, 53 labels. Every model with its default layers and encoding;
Adam, batches of 128, the learning rate falls from 0.003 to 0 along a cosine, no early stopping. Equivalent: the 90 % interval of the difference of
means (Welch) lies within +-1 point, which is two one-sided tests at 5 %. Oracle: PyTorch 2.15.
"""
import argparse
import multiprocessing
import os
import sqlite3
import subprocess
import tempfile

import numpy as np

from apps import CLIP, prepare

CONFIG = """
study = { name = "twins"; database = "%(db)s"; seed = %(seed)d; metric = "accuracy"; };
data = { path = "rows.csv"; clip = 1500; split = { method = "file"; path = "split.txt"; }; };
task = { top_n = [0]; steps = [25]; };
space = { model = ["%(model)s"];
  train = { learning_rate = 0.003; schedule = "cosine"; batch_size = 128; epochs = %(epochs)d; patience = 0; }; %(more)s };
ranks = { %(model)s = 2; };
"""
MORE = {"cnn_gru": 'cnn_lstm = { cell = "gru"; };'}


def flowsweep(program, folder, seed, model, epochs):
    db = f"{model}{seed}.db"
    with open(f"{folder}/study.cfg", "w") as f:
        f.write(CONFIG % dict(db=db, seed=seed, model=model.replace("gru", "lstm"), epochs=epochs, more=MORE.get(model, "")))
    subprocess.run([program, "run", "study.cfg", "-q", "-n", "2"], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    truth, labels = sqlite3.connect(f"{folder}/{db}").execute(
        "SELECT p.truth, p.labels FROM prediction p JOIN trial t ON t.id = p.trial JOIN configuration c ON c.id = t.configuration"
        " WHERE p.part = 'test' AND c.model IN ('dnn', 'cnn_lstm')").fetchone()
    return float(np.mean(np.frombuffer(truth, np.int32) == np.frombuffer(labels, np.int32)))


def network(model, classes):
    """As models/dnn.c and models/cnn_lstm.c have it by default, with Keras' starting values."""
    import torch
    from torch import nn

    def start(m):
        if isinstance(m, (nn.Linear, nn.Conv1d)):
            nn.init.xavier_uniform_(m.weight)
            nn.init.zeros_(m.bias)
        return m

    if model == "dnn":
        return nn.Sequential(start(nn.Linear(25, 256)), nn.ReLU(), nn.Dropout(0.3), start(nn.Linear(256, 128)), nn.ReLU(), nn.Dropout(0.3),
                             start(nn.Linear(128, classes)))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(2 * CLIP + 2, 32)
            nn.init.uniform_(self.embed.weight, -0.05, 0.05)
            self.conv, self.cell = start(nn.Conv1d(32, 64, 3)), (nn.GRU if model == "cnn_gru" else nn.LSTM)(64, 64, batch_first=True)
            nn.init.xavier_uniform_(self.cell.weight_ih_l0)
            nn.init.orthogonal_(self.cell.weight_hh_l0)
            nn.init.zeros_(self.cell.bias_ih_l0)
            nn.init.zeros_(self.cell.bias_hh_l0)
            if model == "cnn_lstm":
                self.cell.bias_hh_l0.data[64:128] = 1
            self.dense, self.out, self.drop = start(nn.Linear(64, 64)), start(nn.Linear(64, classes)), nn.Dropout(0.3)

        def forward(self, t):
            h = torch.relu(self.conv(self.embed(t).transpose(1, 2)))
            h = self.drop(nn.functional.max_pool1d(h, 2)).transpose(1, 2)
            h = self.cell(h)[0][:, -1]
            return self.out(torch.relu(self.dense(self.drop(h))))

    return Net()


def pytorch(job):
    import torch

    model, seed, epochs, x, y, train, test = job
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    net = network(model, int(y.max()) + 1)
    if model == "dnn":  # symmetric scaling, by the largest magnitude among the training rows
        data = torch.tensor(x / np.abs(x[train]).max())
    else:
        data = torch.tensor(np.where(x == 0, 0, np.rint(x) + CLIP + 1).astype(np.int64))
    target = torch.tensor(y)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.003, eps=1e-7)
    steps = epochs * -(-len(train) // 128)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(epochs):
        net.train()
        order = torch.tensor(train)[torch.randperm(len(train))]
        for at in range(0, len(order), 128):
            i = order[at : at + 128]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(data[i]), target[i]).backward()
            optimizer.step()
            schedule.step()
    net.eval()
    with torch.no_grad():
        p = torch.cat([net(data[test[a : a + 4096]]).argmax(1) for a in range(0, len(test), 4096)]).numpy()
    return float(np.mean(y[test] == p))


def interval(a, b):
    """90 % interval of the difference of means; Welch's t, its quantile by Cornish and Fisher's expansion (Abramowitz and Stegun 26.7.5)."""
    va, vb = np.var(a, ddof=1) / len(a), np.var(b, ddof=1) / len(b)
    df, z = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1)), 1.6448536
    t = z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
    d, half = np.mean(a) - np.mean(b), t * np.sqrt(va + vb)
    return d, d - half, d + half


def main():
    p = argparse.ArgumentParser()
    p.add_argument("flowsweep")
    p.add_argument("data")
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--epochs", type=int, default=15)
    p.add_argument("--models", nargs="*", default=["dnn", "cnn_lstm", "cnn_gru"])
    p.add_argument("--processes", type=int, default=2)
    a = p.parse_args()
    seeds, all_good = range(1, a.seeds + 1), True
    print("| model | flowsweep | PyTorch | difference, 90 % interval | equivalent within 1 point |\n| --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as folder, multiprocessing.get_context("spawn").Pool(a.processes) as pool:
        x, y, parts = prepare(a.data, folder)
        for model in a.models:
            ours = [100 * flowsweep(os.path.abspath(a.flowsweep), folder, s, model, a.epochs) for s in seeds]
            theirs = [100 * v for v in pool.map(pytorch, [(model, s, a.epochs, x, y, parts["train"], parts["test"]) for s in seeds], chunksize=1)]
            d, low, high = interval(ours, theirs)
            good = -1 < low and high < 1
            all_good &= good
            print(f"| {model} | {np.mean(ours):.2f} +- {np.std(ours, ddof=1):.2f} | {np.mean(theirs):.2f} +- {np.std(theirs, ddof=1):.2f} | "
                  f"{d:+.2f} [{low:+.2f}, {high:+.2f}] | {'yes' if good else 'NO'} |", flush=True)
    return 0 if all_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
