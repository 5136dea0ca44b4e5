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


def mix(x):
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & MASK
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def key_of(key, name):
    return mix(mix(key + 0x9E3779B97F4A7C15 & MASK) ^ mix(name + 0xD1B54A32D192ED03 & MASK))


class Random:
    """A stream: words of philox under a key, one block of four after another (base/random.h)."""

    def __init__(self, key, stream):
        self.key, self.stream, self.counter, self.words = key, stream, 0, []

    def u32(self):
        if not self.words:
            c = self.counter
            self.words = philox(self.key, (c & 0xFFFFFFFF, c >> 32, self.stream & 0xFFFFFFFF, self.stream >> 32))
            self.counter += 1
        return self.words.pop(0)

    def below(self, n):
        product = self.u32() * n
        while product & 0xFFFFFFFF < (1 << 32) % n:
            product = self.u32() * n
        return product >> 32

    def shuffle(self, x):
        for i in range(len(x), 1, -1):
            j = self.below(i)
            x[i - 1], x[j] = x[j], x[i - 1]


def select(proba, truth, metric, seed, k):
    """Weights by index: 20 bags of half the library, from the best 5, greedy with replacement, best prefix."""
    sign = -1 if metric == "log_loss" else 1
    score = lambda total, n: sign * metric_of(metric, truth, (total / n).astype(np.float32) if metric == "log_loss" else total, k)
    ranking = sorted(range(len(proba)), key=lambda c: (-score(proba[c], 1), c))[:50]
    half, counts = (len(ranking) + 1) // 2, np.zeros(len(proba))
    for bag in range(20):
        places = list(range(len(ranking)))
        Random(key_of(seed, 0x626167), bag).shuffle(places)
        members = [ranking[i] for i in range(len(ranking)) if i in places[:half]]
        total, chosen, best, prefix, dry = np.zeros_like(proba[0]), [], -np.inf, 0, 0
        for c in members[:5]:
            total = total + proba[c]
            chosen.append(c)
            s = score(total, len(chosen))
            if s > best:
                best, prefix = s, len(chosen)
        for _ in range(50):
            if dry == 10:
                break
            s, _, _, c = max((score(total + proba[c], len(chosen) + 1), c in chosen, -c, c) for c in members)
            total = total + proba[c]
            chosen.append(c)
            dry += 1
            if s > best:
                best, prefix, dry = s, len(chosen), 0
        for c in chosen[:prefix]:
            counts[c] += 1
    return counts / counts.sum()


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
        seed = con.execute("SELECT seed FROM study").fetchone()[0]
        order = sorted(scores)
        weights = select([scores[c][1].astype(np.float64) for c in order], truth, metric, seed, k)
        found = {}
        for configuration, w in con.execute("SELECT configuration, sum(weight) FROM ensemble_member WHERE ensemble = ? GROUP BY 1", (ensemble,)):
            found[configuration] = w
        for c, w in zip(order, weights):
            worst = max(worst, abs(w - found.get(c, 0)))
            print(f"task {task}  weight of configuration {c:3d}      recorded {found.get(c, 0):.8f}  recomputed {w:.8f}")
        for (kind, name), value in recorded.items():
            if kind in ("in_sample", "best_single"):
                found = metric_of(name, truth, mixed if kind == "in_sample" else scores[best][1], k)
                if found is not None:
                    worst = max(worst, abs(found - value))
                    print(f"task {task}  {kind:12s} {name:18s} recorded {value:.8f}  recomputed {found:.8f}")
    print(f"largest difference {worst:.2e}")
    sys.exit(bool(worst > 1e-6))


main()
