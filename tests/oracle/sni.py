"""The replication's protocol (configs/seed.cfg) on the sni data, over ten seeds, beside scikit-learn's forest on the same rows.

    python tests/oracle/sni.py FLOWSWEEP DATA_FOLDER [--seeds 10]

Stratified, then grouped by capture (meta.csv's pcap), with no capture on two sides. Test part; figures are mean and deviation over seeds. scikit-learn 1.9.1.
"""
import argparse
import csv
import os
import sqlite3
import subprocess
import tempfile

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score


def scores(y, p):
    return accuracy_score(y, p), f1_score(y, p, labels=np.unique(y), average="macro", zero_division=0)


def read(data):
    rows = list(csv.reader(open(f"{data}/sni/flows.csv")))
    rows = [r for r in rows if len(r) == 101 and r[1].replace(".", "").isdigit()]
    x = np.zeros((len(rows), 25), np.float32)
    for i, r in enumerate(rows):
        real = [float(r[1 + t]) * float(r[76 + t]) for t in range(25) if float(r[76 + t]) != 0]
        x[i, : len(real)] = np.clip(real, -1500, 1500)
    return x, np.array([r[0] for r in rows])


def one(program, folder, data, seed, grouped, x, labels):
    sets = [f"data.path={data}/sni/flows.csv", f"study.seed={seed}", f"study.database={folder}/{seed}{grouped}.db"]
    if grouped:
        sets += [f"data.meta={data}/sni/meta.csv", 'data.split.method="grouped"', 'data.split.by=["pcap"]']
    arguments = [a for s in sets for a in ("--set", s)]
    config = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../configs/seed.cfg")
    subprocess.run([program, "run", config, "-q", "-n", "2", *arguments], check=True, stderr=subprocess.DEVNULL)
    con = sqlite3.connect(f"{folder}/{seed}{grouped}.db")
    names, = con.execute("SELECT labels FROM task").fetchone()
    classes = __import__("json").loads(names)
    out, proba, parts = {}, {}, {}
    for model, part, rows, truth, predicted, p in con.execute(
        "SELECT c.model, p.part, p.rows, p.truth, p.labels, p.probabilities FROM prediction p JOIN trial t ON t.id = p.trial"
        " JOIN configuration c ON c.id = t.configuration"):
        rows, truth, predicted = (np.frombuffer(b, np.int32) for b in (rows, truth, predicted))
        parts[part] = rows
        if part == "test":
            out[model] = scores(truth, predicted)
            proba[model] = np.frombuffer(p, np.float32).reshape(len(rows), -1)
            y_test = truth
    out["plain average"] = scores(y_test, (proba["random_forest"] + proba["cnn_lstm"]).argmax(1))
    index = {c: i for i, c in enumerate(classes)}
    y = np.array([index.get(l, -1) for l in labels])
    held = np.zeros(len(y), bool)
    for rows in parts.values():
        held[rows] = True
    train = np.nonzero((y >= 0) & ~held)[0]
    forest = RandomForestClassifier(100, random_state=seed, n_jobs=2).fit(x[train], y[train])
    out["scikit-learn's forest"] = scores(y_test, forest.predict(x[parts["test"]]))
    if grouped:
        pcap = [r["pcap"] for r in csv.DictReader(open(f"{data}/sni/meta.csv"))]
        sides = [set(pcap[i] for i in rows) for rows in (train, *parts.values())]
        assert all(a.isdisjoint(b) for i, a in enumerate(sides) for b in sides[i + 1 :]), "a capture on two sides"
    return out


def main():
    a = argparse.ArgumentParser()
    a.add_argument("flowsweep")
    a.add_argument("data")
    a.add_argument("--seeds", type=int, default=10)
    a = a.parse_args()
    data, program = os.path.abspath(a.data), os.path.abspath(a.flowsweep)
    x, labels = read(data)
    for grouped in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            runs = [one(program, folder, data, s, grouped, x, labels) for s in range(1, a.seeds + 1)]
        print("grouped by capture (no capture on two sides)" if grouped else "stratified", flush=True)
        for model in ("majority", "knn", "dnn", "cnn_lstm", "random_forest", "plain average", "scikit-learn's forest"):
            q = np.array([r[model] for r in runs])
            print(f"  {model:22s} accuracy {q[:, 0].mean():.4f} +- {q[:, 0].std(ddof=1):.4f}   macro F1 {q[:, 1].mean():.4f} +- {q[:, 1].std(ddof=1):.4f}", flush=True)


main()
