"""Is flowsweep's forest as accurate as scikit-learn's, on unseen rows and out of bag? Four data sets, seed after seed.

    python tests/oracle/forests.py FLOWSWEEP DATA_FOLDER [--seeds 10] [--first 1] [--trees 100] [--ties lowest|drawn]

    small    flows-small.csv: 5,300 rows, 53 classes; 25 packets of size, payload, time between packets, direction
    signed   signed100.csv.gz: 6,000 rows of its 25 most frequent classes; 100 signed sizes
    sni      sni/flows.csv: the labels with 20 flows at least; 25 packets of the four channels
    ordered  flows.csv.gz: 20,000 of the first 80 % of its rows train, 5,000 of the last 20 % are scored; 25 packets of the four channels

Rows of the first three are dealt at random, three quarters to train. Both sides see the same rows and columns: a split file for flowsweep, the numbers of its
forest's columns for scikit-learn; and the classes in the same order, as both label with the first one where votes are tied (one row in nine of `ordered`, out of
bag of 100 trees that look at one column a node: scikit-learn's own order, of their names, is worth 0.5 points there). Each seed is another forest of the same rows. With --ties drawn
flowsweep takes the column drawn first of those that split a node equally well, as scikit-learn does; else the lowest, its default. Printed: means, and the 90 %
interval of their difference (Welch). flowsweep's seed is scikit-learn's random_state plus one. Oracle: scikit-learn 1.9.1.
"""
import argparse
import csv
import gzip
import json
import os
import sqlite3
import subprocess
import tempfile

import numpy as np
from scipy import stats
from sklearn.ensemble import RandomForestClassifier

STEPS, HELD = 25, 32
CONFIG = """
study = {{ name = "forests"; database = "{seed}.db"; seed = {seed}; metric = "accuracy"; }};
data = {{ path = "flows.csv"; layout = "{layout}"; {blocks}steps = {steps}; clip = 0; split = {{ method = "file"; path = "split.txt"; }}; }};
task = {{ top_n = [0]; steps = [{steps}]; }};
space = {{ channels = ( {channels} ); model = "random_forest"; random_forest = {{ n_estimators = {trees}; ties = "{ties}"; oob_score = true; }}; }};
ranks = {{ random_forest = 2; }};
"""
SIGNED = dict(layout="signed", blocks="", steps=100, channels='["signed_size"]')
BLOCKS = dict(layout="blocks", blocks='blocks = ["size", "payload", "iat", "direction"]; ', steps=STEPS, channels='["size", "payload", "iat", "direction"]')


def read(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt") as f:
        rows = csv.reader(f)
        next(rows)
        labels, values = zip(*((row[0], row[1:]) for row in rows))
    return np.array(labels), np.array(values, float)


def frequent(labels, values, classes=None, least=0):
    names, counts = np.unique(labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:classes]
    keep = np.isin(labels, names[order][counts[order] >= least])
    return labels[keep], values[keep]


def dealt(n, rng):
    order = rng.permutation(n)
    return np.sort(order[: 3 * n // 4]), np.sort(order[3 * n // 4:])


def data_sets(folder):
    """name -> settings, labels, values, rows to train, rows to score"""
    rng = np.random.default_rng(5)
    labels, values = read(f"{folder}/apps/flows-small.csv")
    yield "small", BLOCKS, labels, values, *dealt(len(labels), rng)
    labels, values = frequent(*read(f"{folder}/apps/signed100.csv.gz"), classes=25)
    some = np.sort(rng.choice(len(labels), 8000, replace=False))
    yield "signed", SIGNED, labels[some], values[some], *dealt(len(some), rng)
    labels, values = frequent(*read(f"{folder}/sni/flows.csv"), least=20)
    yield "sni", BLOCKS, labels, values, *dealt(len(labels), rng)
    labels, values = read(f"{folder}/apps/flows.csv.gz")
    later = 4 * len(labels) // 5
    yield ("ordered", BLOCKS, labels, values, np.sort(rng.choice(later, 20000, replace=False)),
           np.sort(rng.choice(np.arange(later, len(labels)), 5000, replace=False)))


def columns(settings, values):
    """What flowsweep's forest looks at: the first packet in front, of each its size without a sign, payload, log1p of microseconds, direction; or signed sizes."""
    if settings is SIGNED:
        return values.astype(np.float32)
    x = values.reshape(-1, 4, STEPS)
    real = x[:, 3] != 0
    at = np.argsort(~real, axis=1, kind="stable")
    x = np.take_along_axis(x * real[:, None, :], at[:, None, :], 2)
    x[:, 0] = np.abs(x[:, 0])
    x[:, 2] = np.log1p(np.maximum(x[:, 2], 0) * 1e6)
    return x.transpose(0, 2, 1).reshape(-1, 4 * STEPS).astype(np.float32)


def write(folder, settings, labels, values, train, held):
    """Rows to train, a few that flowsweep wants for other parts, rows to score."""
    few = train[:HELD]
    with open(f"{folder}/flows.csv", "w") as f:
        f.write(",".join(["label", *(f"p{i + 1}" for i in range(values.shape[1]))]) + "\n")
        for i in (*train, *few, *few, *held):
            f.write(",".join([labels[i], *(f"{v:.10g}" for v in values[i])]) + "\n")
    with open(f"{folder}/split.txt", "w") as f:
        f.write("train\n" * len(train) + "stop\n" * HELD + "validation\n" * HELD + "test\n" * len(held))


def flowsweep(program, folder, settings, seed, trees, ties):
    """accuracy on the rows to score, out-of-bag accuracy; and the names of its classes, in their order"""
    with open(f"{folder}/study.cfg", "w") as f:
        f.write(CONFIG.format(seed=seed, trees=trees, ties=ties, **settings))
    subprocess.run([program, "run", "study.cfg", "-q", "-n", "2"], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    con = sqlite3.connect(f"{folder}/{seed}.db")
    truth, labels, oob = con.execute(
        "SELECT p.truth, p.labels, m.value FROM prediction p JOIN metric m ON m.trial = p.trial AND m.name = 'oob_accuracy' WHERE p.part = 'test'").fetchone()
    classes = json.loads(con.execute("SELECT labels FROM task").fetchone()[0])
    return (np.mean(np.frombuffer(truth, np.int32) == np.frombuffer(labels, np.int32)), oob), classes


def scikit_learn(x, labels, classes, train, held, seed, trees):
    number = {name: c for c, name in enumerate(classes)}
    labels = np.array([number[label] for label in labels])
    forest = RandomForestClassifier(trees, random_state=seed, oob_score=True, n_jobs=2).fit(x[train], labels[train])
    return forest.score(x[held], labels[held]), forest.oob_score_


def difference(ours, theirs):
    d, se = np.mean(ours) - np.mean(theirs), np.sqrt(np.var(ours, ddof=1) / len(ours) + np.var(theirs, ddof=1) / len(theirs))
    half = stats.t.ppf(0.95, 2 * len(ours) - 2) * se
    return f"{100 * d:+.2f} [{100 * (d - half):+.2f}, {100 * (d + half):+.2f}]"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("flowsweep")
    p.add_argument("data")
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--first", type=int, default=1, help="the first seed")
    p.add_argument("--trees", type=int, default=100)
    p.add_argument("--ties", choices=("lowest", "drawn"), default="lowest")
    a = p.parse_args()
    print(f"{a.trees} trees, seeds {a.first} to {a.first + a.seeds - 1}, ties to the {a.ties} column; per cent, and points of difference")
    print(f"{'data':8} {'classes':>7} {'rows':>6}  {'what':10} {'flowsweep':>9} {'scikit-learn':>12}  difference")
    for name, settings, labels, values, train, held in data_sets(a.data):
        x, found = columns(settings, values), []
        with tempfile.TemporaryDirectory() as folder:
            write(folder, settings, labels, values, train, held)
            for seed in range(a.first, a.first + a.seeds):
                ours, classes = flowsweep(os.path.abspath(a.flowsweep), folder, settings, seed, a.trees, a.ties)
                found.append((ours, scikit_learn(x, labels, classes, train, held, seed - 1, a.trees)))
        for i, what in enumerate(("unseen", "out of bag")):
            ours, theirs = [f[0][i] for f in found], [f[1][i] for f in found]
            print(f"{name:8} {len(set(labels)):7} {len(train):6}  {what:10} {100 * np.mean(ours):9.2f} {100 * np.mean(theirs):12.2f}  {difference(ours, theirs)}", flush=True)


if __name__ == "__main__":
    main()
