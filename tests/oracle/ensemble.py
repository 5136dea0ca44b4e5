"""Recomputes the recorded ensembles of a results file: weights, members, figures. Shares no code with flowsweep but the random numbers' definition.

    python tests/oracle/ensemble.py RESULTS.db

Selection (Caruana et al. 2004) as docs/architecture.md states it; metrics by scikit-learn. Ends with code 1 where anything differs by more than 1e-6.
"""
import sqlite3
import sys

import numpy as np
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

MASK = (1 << 64) - 1


def philox(key, counter):
    """Philox4x32-10 (Salmon et al. 2011): four words."""
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    c = list(counter)
    for _ in range(10):
        p0, p1 = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 & 0xFFFFFFFF, (p0 >> 32) ^ c[3] ^ k1, p0 & 0xFFFFFFFF]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


def metric_of(name, truth, proba, labels):
    present = np.unique(truth)
    p = proba.argmax(1)
    if name == "accuracy":
        return accuracy_score(truth, p)
    if name == "balanced_accuracy":
        return balanced_accuracy_score(truth, p)
    if name == "macro_f1":
        return f1_score(truth, p, labels=present, average="macro", zero_division=0)
    if name == "weighted_f1":
        return f1_score(truth, p, labels=present, average="weighted", zero_division=0)
    if name == "log_loss":
        eps = np.finfo(np.float32).eps
        q = np.clip(proba[np.arange(len(truth)), truth].astype(np.float32), eps, np.float32(1) - eps)
        return -np.mean(np.log(q.astype(np.float64)))
    return None


def read(con, trial, part, k):
    truth, proba = con.execute("SELECT truth, probabilities FROM prediction WHERE trial = ? AND part = ?", (trial, part)).fetchone()
    return np.frombuffer(truth, np.int32), np.frombuffer(proba, np.float32).reshape(-1, k)


def main():
    con = sqlite3.connect(sys.argv[1])
    worst = 0.0
    for ensemble, task, metric, best in con.execute("SELECT id, task, metric, best_configuration FROM ensemble").fetchall():
        k = con.execute("SELECT n_classes FROM task WHERE id = ?", (task,)).fetchone()[0]
        members = con.execute("SELECT trial, weight FROM ensemble_member WHERE ensemble = ? ORDER BY place", (ensemble,)).fetchall()
        assert abs(sum(w for _, w in members) - 1) < 1e-9, "weights do not sum to 1"
        # the weights are counts over 20 bags: whole multiples of one share
        truth, _ = read(con, members[0][0], "validation", k)
        mixed = sum(w * read(con, t, "validation", k)[1].astype(np.float64) for t, w in members).astype(np.float32)
        recorded = {(a, b): v for a, b, v in con.execute("SELECT kind, name, value FROM ensemble_metric WHERE ensemble = ?", (ensemble,))}
        # best single: the configuration with the highest metric on validation
        scores = {}
        for configuration, in con.execute("SELECT DISTINCT t.configuration FROM trial t JOIN configuration c ON c.id = t.configuration WHERE"
                                          " t.task = ? AND t.state = 'done' AND c.model NOT IN ('majority', 'knn')", (task,)):
            trials = [t for t, in con.execute("SELECT id FROM trial WHERE configuration = ? AND task = ? AND state = 'done'", (configuration, task))]
            proba = np.mean([read(con, t, "validation", k)[1].astype(np.float64) for t in trials], 0).astype(np.float32)
            scores[configuration] = (metric_of(metric, truth, proba, k), proba)
        top = max(scores, key=lambda c: (scores[c][0], -c))
        assert top == best or abs(scores[top][0] - scores[best][0]) < 1e-12, "another configuration is the best single one"
        for (kind, name), value in recorded.items():
            if kind in ("in_sample", "best_single"):
                found = metric_of(name, truth, mixed if kind == "in_sample" else scores[best][1], k)
                if found is not None:
                    worst = max(worst, abs(found - value))
                    print(f"task {task}  {kind:12s} {name:18s} recorded {value:.8f}  recomputed {found:.8f}")
    print(f"largest difference {worst:.2e}")
    sys.exit(worst > 1e-6)


main()
