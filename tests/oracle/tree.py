"""Our trees beside scikit-learn's, node by node.

    python tests/oracle/tree.py FLOWSWEEP FLOWS.csv

Fits a forest of one tree without bootstrap on all columns, with Gini and entropy, plain and with balanced classes; reads its file (docs/forest-file.md), and
at every node asks scikit-learn's DecisionTreeClassifier (1.9.1) for the best split of the same rows: the improvement must be equal within 1e-9 relative (balanced:
1e-5, since weights are rounded to one part in 2^31 of their sum); where only one split gives it, column and threshold must be equal; where several do, ours must be the one of the lowest
column, then the lowest threshold (plain Gini; elsewhere, one of them). Importances (MDI) must be what scikit-learn's tree computes of our splits. Ends with code 1 where one is not.
"""
import itertools
import os
import sys
import tempfile
import warnings

import numpy as np
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree
from sklearn.utils.class_weight import compute_sample_weight

from one_forest import one_forest

CONFIG = """
study = { name = "forest"; seed = 3; };
data = { path = "%s"; split = { stop = 0.1; validation = 0.1; test = 0.1; }; };
space = { model = "random_forest"; channels = ( ["signed_size", "iat"] );
  random_forest = { n_estimators = 1; bootstrap = false; max_features = "none"; criterion = "%s"; class_weight = "%s"; }; };
"""


def measure(w, criterion):
    """What a split makes most of: minus weight * impurity, but for a constant. w (.., classes)."""
    total = w.sum(-1)
    if criterion == "gini":
        return (w ** 2).sum(-1) / total
    return np.where(w > 0, w * np.log2(np.where(w > 0, w, 1)), 0).sum(-1) - total * np.log2(total)


def all_gains(x, y, weight, criterion):
    """Every split's measure, both sides: (gain, column, threshold)."""
    for c in range(x.shape[1]):
        order = np.argsort(x[:, c], kind="stable")
        v, hot = x[order, c], np.eye(y.max() + 1)[y[order]] * weight[order, None]
        left = np.cumsum(hot, 0)
        right = np.maximum(left[-1] - left, 0)
        right[right < 1e-9 * left[-1]] = 0
        places = np.nonzero(v[:-1] < v[1:])[0]
        for i, gain in zip(places, measure(left[places], criterion) + measure(right[places], criterion)):
            yield gain, c, (float(v[i]) + float(v[i + 1])) / 2


def uneven(path, out):
    """Some classes with a quarter of their rows, some with a half, some with all: balanced weights differ."""
    classes, kept = {}, []
    for i, line in enumerate(open(path).read().splitlines()):
        place = classes.setdefault(line.split(",")[0], len(classes))
        if i == 0 or i % 4 <= place % 4:
            kept.append(line)
    open(out, "w").write("\n".join(kept) + "\n")


def mdi_of(tree, x, y, weight, criterion):
    """scikit-learn's importances of our splits: its own tree, filled with them."""
    model = Tree(x.shape[1], np.array([y.max() + 1]), 1)
    state, stack = DecisionTreeClassifier(max_depth=1, criterion=criterion).fit(x, y, weight).tree_.__getstate__(), [(0, np.arange(len(y)))]
    nodes = np.zeros(len(tree), state["nodes"].dtype)
    while stack:
        node, rows = stack.pop()
        column, threshold, right = tree[node]
        w = np.bincount(y[rows], weight[rows], y.max() + 1)
        p = w[w > 0] / w.sum()
        nodes[node]["impurity"] = 1 - (p ** 2).sum() if criterion == "gini" else -(p * np.log2(p)).sum()
        nodes[node]["n_node_samples"], nodes[node]["weighted_n_node_samples"] = len(rows), w.sum()
        nodes[node]["left_child"], nodes[node]["right_child"], nodes[node]["feature"] = (node + 1, right, column) if column >= 0 else (-1, -1, -2)
        if column >= 0:
            goes = x[rows, column] <= np.float32(threshold)
            stack += [(node + 1, rows[goes]), (right, rows[~goes])]
    state.update(nodes=nodes, node_count=len(nodes), values=np.zeros((len(nodes), *state["values"].shape[1:])))
    model.__setstate__(state)
    return model.compute_feature_importances()


def fit(program, path, criterion, class_weight):
    """The tree, the labels, the rows of the file that it did not see, and its importances."""
    forest, labels, rows, shown = one_forest(program, CONFIG % (path, criterion, class_weight))
    tree = [(column, threshold, right) if column >= 0 else (-1, None, None) for column, threshold, right in forest[3][0]]
    return tree, labels, set().union(*rows.values()), np.array([c["mdi"] for c in shown["importances"]])


def read_flows(path, labels, held_out):
    x, y = [], []
    with open(path) as f:
        lines = f.read().splitlines()
    first = 0 if lines[0].split(",")[1].replace(".", "").replace("-", "").isdigit() else 1
    for i, line in enumerate(lines[first:]):
        cells = line.split(",")
        if i in held_out or cells[0] not in labels:
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
    return np.array(x), np.array(y)


def compare(tree, x, y, weight, criterion, slack):
    """Nodes compared, those with one best split, those that differ."""
    stack, checked, unique, wrong = [(0, np.arange(len(y)))], 0, 0, 0
    first = criterion == "gini" and slack < 1e-6
    while stack:
        node, rows = stack.pop()
        feature, threshold, right = tree[node]
        if feature < 0:
            continue
        goes = x[rows, feature] <= np.float32(threshold)
        stack += [(node + 1, rows[goes]), (right, rows[~goes])]
        xs, ys, ws = x[rows], y[rows], weight[rows]
        stump = DecisionTreeClassifier(max_depth=1, random_state=0, criterion=criterion).fit(xs, ys, ws).tree_
        counts = lambda q: np.bincount(ys[q], ws[q], ys.max() + 1)
        gain = lambda q: measure(counts(q), criterion) + measure(counts(~q), criterion) - measure(counts(q) + counts(~q), criterion)
        ours, theirs = gain(goes), gain(xs[:, stump.feature[0]] <= stump.threshold[0])
        same = lambda c, t: c == feature and abs(t - threshold) <= 1e-6 * max(1, abs(threshold))
        checked += 1
        good = abs(ours - theirs) <= slack * max(abs(theirs), 1e-300)
        if len(rows) <= 400:
            gains = list(all_gains(xs, ys, ws, criterion))
            top = max(g for g, _, _ in gains)
            ties = [(c, t) for g, c, t in gains if abs(g - top) <= max(1e-12, slack / 1000) * abs(top)]
            good &= same(*ties[0]) if first else any(same(*tie) for tie in ties)
            if len(ties) == 1:
                unique += 1
                good &= same(stump.feature[0], stump.threshold[0])
        wrong += not good
        if not good:
            print(f"node {node}: {len(rows)} rows, ours column {feature} at {threshold}, gain {ours!r}; theirs {stump.feature[0]} at {stump.threshold[0]}, {theirs!r}")
    return checked, unique, wrong


def main():
    warnings.simplefilter("ignore")
    program, total = os.path.abspath(sys.argv[1]), np.zeros(3, int)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/flows.csv"
        uneven(sys.argv[2], path)
        for criterion, class_weight in itertools.product(("gini", "entropy"), ("none", "balanced")):
            tree, labels, held_out, mdi = fit(program, path, criterion, class_weight)
            x, y = read_flows(path, labels, held_out)
            weight = compute_sample_weight("balanced", y) if class_weight == "balanced" else np.ones(len(y))
            found = compare(tree, x, y, weight, criterion, 1e-5 if class_weight == "balanced" else 1e-9)
            theirs, slack = mdi_of(tree, x, y, weight, criterion), 1e-6 if class_weight == "balanced" else 1e-9
            if abs(mdi - theirs).max() > slack:
                print(f"importances differ by {abs(mdi - theirs).max()}")
                found = (found[0], found[1], found[2] + 1)
            print(f"{criterion}, {class_weight}: {found[0]} nodes, {found[1]} with one best split, {found[2]} wrong")
            total += found
            if found[0] < 10:
                sys.exit("a tree of fewer than 10 nodes shows little")
    print(f"{total[0]} nodes compared, {total[1]} with one best split, {total[2]} wrong")
    sys.exit(int(total[2] > 0))


if __name__ == "__main__":
    main()
