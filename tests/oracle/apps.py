"""Forests of flowsweep beside scikit-learn's on the same rows of the apps data; its networks: twins.py.

    python tests/oracle/apps.py FLOWSWEEP DATA_FOLDER [--seeds 3] [--steps 5 10 25]

Ordered split (70 % train, 5 % stop, 5 % validation, 20 % test), 40,000 training rows at random, 53 labels, signed sizes. The rows are written to a file of
their own with a split file, so that both sides see the same. Oracle: scikit-learn 1.9.1.
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
PARTS = ("train", "stop", "validation", "test")


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
space = { model = ["random_forest"]; random_forest = { n_estimators = 100; }; };
ranks = { random_forest = 2; };
"""


def flowsweep(program, folder, seed, steps):
    db = f"forest{seed}_{steps}.db"
    with open(f"{folder}/study.cfg", "w") as f:
        f.write(CONFIG % dict(db=db, seed=seed, steps=steps))
    subprocess.run([program, "run", "study.cfg", "-q", "-n", "2"], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    con = sqlite3.connect(f"{folder}/{db}")
    blob = con.execute(
        "SELECT p.truth, p.labels FROM prediction p JOIN trial t ON t.id = p.trial JOIN configuration c ON c.id = t.configuration"
        " WHERE p.part = 'test' AND c.model = 'random_forest'").fetchone()
    truth, labels = (np.frombuffer(b, np.int32) for b in blob)
    return accuracy_score(truth, labels), f1_score(truth, labels, average="macro", labels=np.unique(truth))


def prepare(data, folder):
    """Writes rows.csv and split.txt; returns signed sizes (rows, STEPS), classes, and each part's rows."""
    labels, rows = read(f"{data}/apps/flows.csv.gz")
    dealt = split(len(labels), np.random.default_rng(1))
    keep = np.concatenate(dealt)
    with open(f"{folder}/rows.csv", "w") as f:
        for i in keep:
            f.write(labels[i] + "," + ",".join(rows[i]) + "\n")
    with open(f"{folder}/split.txt", "w") as f:
        for name, q in zip(PARTS, dealt):
            f.write(f"{name}\n" * len(q))
    edges = np.cumsum([0] + [len(q) for q in dealt])
    y = np.unique(labels[keep], return_inverse=True)[1]
    return aligned([rows[i] for i in keep]), y, {name: np.arange(edges[k], edges[k + 1]) for k, name in enumerate(PARTS)}


def show(name, figures):
    a, f = np.array(figures).T
    print(f"{name:44s} accuracy {a.mean():.4f} +- {a.std():.4f}   macro F1 {f.mean():.4f} +- {f.std():.4f}", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("flowsweep")
    p.add_argument("data")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--steps", type=int, nargs="*", default=[5, 10, 25])
    a = p.parse_args()
    program = os.path.abspath(a.flowsweep)
    with tempfile.TemporaryDirectory() as folder:
        x, y, parts = prepare(a.data, folder)
        train, test = parts["train"], parts["test"]
        seeds = range(1, a.seeds + 1)
        for steps in a.steps:
            show(f"forest, {steps} packets: flowsweep", [flowsweep(program, folder, s, steps) for s in seeds])
            figures = []
            for s in seeds:
                m = RandomForestClassifier(100, random_state=s, n_jobs=2).fit(x[train, :steps], y[train])
                q = m.predict(x[test, :steps])
                figures.append((accuracy_score(y[test], q), f1_score(y[test], q, average="macro", labels=np.unique(y[test]))))
            show(f"forest, {steps} packets: scikit-learn", figures)


if __name__ == "__main__":
    main()
