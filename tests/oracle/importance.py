"""Importances of our forests beside scikit-learn's.

    python tests/oracle/importance.py FLOWSWEEP FLOWS.csv

Permutation: the forest's file (docs/forest-file.md) is read as an estimator, which must label the validation rows as the database says; its
sklearn.inspection.permutation_importance, of other permutations, must agree within five standard errors, for every column and for a block as a whole. MDI: those of a
RandomForestClassifier of as many trees must be alike (it draws other rows, and of equal splits takes one at random, ours the first column's; tests/oracle/tree.py compares the same splits). Ends with code 1 where they are not.
"""
import os
import sys

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance

from one_forest import one_forest
from tree import read_flows

REPEATS = 20
CONFIG = """
study = { name = "forest"; seed = 3; };
data = { path = "%s"; split = { stop = 0.0; validation = 0.2; test = 0.1; }; };
task = { top_n = 10; };
space = { model = "random_forest"; channels = ( ["signed_size", "iat"] ); random_forest = { n_estimators = %d; permutation_repeats = %d; }; };
"""


class Forest:
    def __init__(self, trees, classes):
        self.trees = [(np.array([n[0] for n in t]), np.array([n[1] if n[0] >= 0 else 0 for n in t], np.float32), np.array([n[2] or 0 for n in t]), shares(t, classes)) for t in trees]

    def fit(self, x, y):
        return self

    def predict(self, x):
        sums = np.zeros((len(x), self.trees[0][3].shape[1]))
        for column, threshold, right, share in self.trees:
            at = np.zeros(len(x), int)
            while (column[at] >= 0).any():
                goes = x[np.arange(len(x)), np.maximum(column[at], 0)] <= threshold[at]
                at = np.where(column[at] < 0, at, np.where(goes, at + 1, right[at]))
            sums += share[at]
        return (sums / len(self.trees)).astype(np.float32).argmax(1)


def shares(tree, classes):
    out = np.zeros((len(tree), classes))
    for i, (column, what, _) in enumerate(tree):
        for label, share in what if column < 0 else []:
            out[i, label] = np.float32(share)
    return out


def fit(program, path, trees, repeats):
    (_, classes, _, trees), *others = one_forest(program, CONFIG % (path, trees, repeats))
    return Forest(trees, classes), *others


def apart(ours, theirs, sd):
    """Differences in standard errors; equal where neither moves."""
    error = np.sqrt((np.square(sd[0]) + np.square(sd[1])) / REPEATS)
    return np.where(abs(ours - theirs) < 1e-12, 0, abs(ours - theirs) / np.maximum(error, 1e-12))


def main():
    program, path = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    every = set(range(sum(1 for _ in open(path))))
    model, labels, rows, shown = fit(program, path, 6, REPEATS)
    x, y = read_flows(path, labels, every - rows["validation"])
    right = (model.predict(x) == y).mean()
    accuracy = lambda m, x, y: (m.predict(x) == y).mean()
    assert abs(right - shown["metrics"]["validation_accuracy"]) < 1e-12, "the file's forest labels other rows right"
    found = permutation_importance(model, x, y, n_repeats=REPEATS, random_state=1, scoring=accuracy)
    get = lambda name, table="importances": np.array([c[name] for c in shown[table]])
    columns = apart(get("permutation"), found.importances_mean, (get("permutation_sd"), found.importances_std))

    r, lost = np.random.default_rng(1), []
    for k in range(2):
        for _ in range(REPEATS):
            z = x.copy()
            z[:, k::2] = z[r.permutation(len(z)), k::2]
            lost.append(right - accuracy(model, z, y))
    lost = np.array(lost).reshape(2, REPEATS)
    blocks = apart(get("permutation", "importance_blocks"), lost.mean(1), (get("permutation_sd", "importance_blocks"), lost.std(1)))
    print(f"permutation, {len(y)} rows, {REPEATS} repeats: columns within {columns.max():.1f} standard errors (of {get('permutation').max():.3f} at most), blocks within {blocks.max():.1f}")

    _, labels, rows, shown = fit(program, path, 200, 0)
    x, y = read_flows(path, labels, set().union(*rows.values()))
    theirs = RandomForestClassifier(200, random_state=0, n_jobs=1).fit(x, y).feature_importances_
    ours = np.array([c["mdi"] for c in shown["importances"]])
    alike = np.corrcoef(ours, theirs)[0, 1]
    print(f"MDI of 200 trees: correlation {alike:.4f}, largest difference {abs(ours - theirs).max():.4f} (of {theirs.max():.3f}); ours sum to {ours.sum():.12f}")
    good = columns.max() < 5 and blocks.max() < 5 and alike > 0.97 and abs(ours - theirs).max() < 0.03 and abs(ours.sum() - 1) < 1e-9
    print("importances agree" if good else "importances differ")
    sys.exit(not good)


main()
