"""Our trees beside scikit-learn's, node by node.

    python tests/oracle/tree.py FLOWSWEEP FLOWS.csv

Fits a forest of one tree without bootstrap on all columns, reads its file (docs/forest-file.md), and at every node asks scikit-learn's DecisionTreeClassifier
(1.9.1) for the best split of the same rows: the improvement must be equal within 1e-9 relative; where only one split gives it, column and threshold must be
equal; where several do, ours must be the one of the lowest column, then the lowest threshold. Ends with code 1 where one is not.
"""
import json
import os
import sqlite3
import struct
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from sklearn.tree import DecisionTreeClassifier

CONFIG = """
study = { name = "tree"; seed = 3; };
data = { path = "%s"; split = { stop = 0.1; validation = 0.1; test = 0.1; }; };
space = { model = "random_forest"; channels = ( ["signed_size", "iat"] );
  random_forest = { n_estimators = 1; bootstrap = false; max_features = "none"; }; };
"""


def read_tree(path):
    data = open(path, "rb").read()
    assert data[:8] == b"FSFORST1"
    columns, classes, trees = struct.unpack_from("<3i", data, 8)
    at = 20 + 8 * columns
    nodes, entries = struct.unpack_from("<2i", data, at)
    out = []
    for i in range(nodes):
        feature, right = struct.unpack_from("<i4xi", data, at + 8 + 12 * i)
        threshold = struct.unpack_from("<f", data, at + 12 + 12 * i)[0]
        out.append((feature, threshold, right))
    return out


def all_gains(x, y):
    """Every split's sum of squares over weight, both sides: (gain, column, threshold)."""
    for c in range(x.shape[1]):
        order = np.argsort(x[:, c], kind="stable")
        v, hot = x[order, c], np.eye(y.max() + 1)[y[order]]
        left = np.cumsum(hot, 0)
        right = left[-1] - left
        n = np.arange(1, len(v) + 1)
        for i in np.nonzero(v[:-1] < v[1:])[0]:
            yield (left[i] ** 2).sum() / n[i] + (right[i] ** 2).sum() / (len(v) - n[i]), c, (float(v[i]) + float(v[i + 1])) / 2


def main():
    warnings.simplefilter("ignore")
    program, path = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        open(f"{folder}/tree.cfg", "w").write(CONFIG % path)
        run = lambda *a: subprocess.run([program, *a], cwd=folder, check=True, capture_output=True, text=True).stdout
        run("run", "tree.cfg", "-q", "-n", "0")
        con = sqlite3.connect(f"{folder}/tree.db")
        trial, = con.execute("SELECT t.id FROM trial t JOIN configuration c ON c.id = t.configuration WHERE c.model = 'random_forest'").fetchone()
        run("export", "tree.db", str(trial), "--out", "b")
        tree = read_tree(f"{folder}/b/member1.forest")
        labels = json.load(open(f"{folder}/b/manifest.json"))["labels"]
        held_out = set()
        for rows, in con.execute("SELECT rows FROM prediction WHERE trial = ?", (trial,)):
            held_out |= set(np.frombuffer(rows, np.int32).tolist())
    x, y = [], []
    with open(path) as f:
        lines = f.read().splitlines()
    first = 0 if lines[0].split(",")[1].replace(".", "").replace("-", "").isdigit() else 1
    for i, line in enumerate(lines[first:]):
        cells = line.split(",")
        if i in held_out:
            continue
        steps = (len(cells) - 1) // 4
        size, iat, direction = (np.array(cells[1 + k * steps : 1 + (k + 1) * steps], float) for k in (0, 2, 3))
        real = direction != 0
        row = np.zeros((steps, 2), np.float32)
        row[: real.sum(), 0] = np.clip(size * direction, -1500, 1500)[real]
        t = np.float32(iat[real])
        row[: real.sum(), 1] = np.where(t > 0, np.log1p(t.astype(np.float64) * 1e6), 0).astype(np.float32)
        x.append(row.ravel())
        y.append(labels.index(cells[0]))
    x, y = np.array(x), np.array(y)
    stack, checked, unique, wrong = [(0, np.arange(len(y)))], 0, 0, 0
    while stack:
        node, rows = stack.pop()
        feature, threshold, right = tree[node]
        if feature < 0:
            continue
        goes = x[rows, feature] <= np.float32(threshold)
        stack += [(node + 1, rows[goes]), (right, rows[~goes])]
        xs, ys = x[rows], y[rows]
        stump = DecisionTreeClassifier(max_depth=1, random_state=0).fit(xs, ys).tree_
        parent = (np.bincount(ys) ** 2).sum() / len(ys)
        gain = lambda q: (np.bincount(ys[q]) ** 2).sum() / q.sum() + (np.bincount(ys[~q]) ** 2).sum() / (~q).sum()
        ours, theirs = gain(goes) - parent, gain(xs[:, stump.feature[0]] <= stump.threshold[0]) - parent
        checked += 1
        good = abs(ours - theirs) <= 1e-9 * max(abs(theirs), 1e-300)
        if len(rows) <= 400:
            gains = list(all_gains(xs, ys))
            top = max(g for g, _, _ in gains)
            ties = [(c, t) for g, c, t in gains if abs(g - top) <= 1e-12 * top]
            good &= ties[0][0] == feature and abs(ties[0][1] - threshold) <= 1e-6 * max(1, abs(threshold))
            if len(ties) == 1:
                unique += 1
                good &= stump.feature[0] == feature and abs(stump.threshold[0] - threshold) <= 1e-6 * max(1, abs(threshold))
        wrong += not good
        if not good:
            print(f"node {node}: {len(rows)} rows, ours column {feature} at {threshold}, gain {ours!r}; theirs {stump.feature[0]} at {stump.threshold[0]}, {theirs!r}")
    print(f"{checked} nodes compared, {unique} with one best split, {wrong} wrong")
    sys.exit(wrong > 0 or checked < 10)


main()
