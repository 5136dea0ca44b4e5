"""Do the parameters of flowsweep's forests mean what scikit-learn's do? The same settings on both sides, seed after seed.

    python tests/oracle/forest_parameters.py FLOWSWEEP DATA_FOLDER [--seeds 10] [--trees 50]

4,000 rows of the 25 most frequent classes of signed100.csv.gz, 100 signed sizes, three quarters to train; rows, columns and the order of classes as in forests.py, and
ties to the column drawn first. Nodes of a tree tell settings apart that accuracy does not: a parameter that means something else gives trees of another size.
Printed: means, and flowsweep's less scikit-learn's with its 99 % interval (Welch); `differs` where that leaves out zero, and the means are more than 1 % of nodes or
0.3 points apart. scikit-learn 1.9 draws rows by "balanced" weights, flowsweep weighs rows drawn evenly, so balanced is compared without bootstrap.
Oracle: scikit-learn 1.9.1.
"""
import argparse
import json
import os
import sqlite3
import subprocess
import tempfile

import numpy as np
from scipy import stats
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

import forest_file
import forests

CONFIG = """
study = {{ name = "parameters"; database = "{seed}.db"; seed = {seed}; metric = "accuracy"; }};
data = {{ path = "flows.csv"; layout = "signed"; steps = 100; clip = 0; split = {{ method = "file"; path = "split.txt"; }}; }};
task = {{ top_n = [0]; steps = [100]; }};
space = {{ channels = ( ["signed_size"] ); model = "{model}"; {model} = {{ n_estimators = {trees}; ties = "drawn"; oob_score = true; {settings} }}; }};
"""
KINDS = {"random_forest": RandomForestClassifier, "extra_trees": ExtraTreesClassifier}
SETTINGS = [
    ("random_forest", {}),
    ("random_forest", {"max_features": 1}),
    ("random_forest", {"max_features": 1.0}),
    ("random_forest", {"max_features": 0.3}),
    ("random_forest", {"max_features": "log2"}),
    ("random_forest", {"max_features": None}),
    ("random_forest", {"max_depth": 8}),
    ("random_forest", {"max_leaf_nodes": 60}),
    ("random_forest", {"min_samples_split": 20}),
    ("random_forest", {"min_samples_split": 0.01}),
    ("random_forest", {"min_samples_leaf": 5}),
    ("random_forest", {"min_samples_leaf": 0.0015}),
    ("random_forest", {"min_impurity_decrease": 0.001}),
    ("random_forest", {"min_impurity_decrease": 0.001, "criterion": "entropy"}),
    ("random_forest", {"criterion": "entropy"}),
    ("random_forest", {"max_samples": 500}),
    ("random_forest", {"max_samples": 0.3}),
    ("random_forest", {"max_samples": 1.0}),
    ("random_forest", {"bootstrap": False}),
    ("random_forest", {"bootstrap": False, "class_weight": "balanced"}),
    ("random_forest", {"class_weight": "balanced_subsample", "min_samples_leaf": 3}),
    ("extra_trees", {}),
    ("extra_trees", {"max_features": 1.0}),
    ("extra_trees", {"max_features": 1}),
    ("extra_trees", {"max_leaf_nodes": 60}),
    ("extra_trees", {"min_samples_leaf": 5, "criterion": "entropy"}),
    ("extra_trees", {"bootstrap": True, "max_samples": 0.3}),
    ("extra_trees", {"class_weight": "balanced", "max_depth": 10}),
]


def written(value):
    return '"none"' if value is None else json.dumps(value)


def flowsweep(program, folder, model, settings, seed, trees):
    """(nodes a tree, accuracy on the rows to score, out-of-bag accuracy or NaN), and its classes in their order"""
    for name in os.listdir(folder):
        if name.startswith(f"{seed}."):
            os.unlink(f"{folder}/{name}")
    with open(f"{folder}/study.cfg", "w") as f:
        f.write(CONFIG.format(seed=seed, model=model, trees=trees, settings=" ".join(f"{k} = {written(v)};" for k, v in settings.items())))
    run = lambda *a: subprocess.run([program, *a], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run("run", "study.cfg", "-q", "-n", "2")
    con = sqlite3.connect(f"{folder}/{seed}.db")
    trial, truth, labels = con.execute("SELECT p.trial, p.truth, p.labels FROM prediction p JOIN trial t ON t.id = p.trial JOIN configuration c ON"
                                       " c.id = t.configuration WHERE p.part = 'test' AND c.model = ?", (model,)).fetchone()
    oob = con.execute("SELECT value FROM metric WHERE trial = ? AND name = 'oob_accuracy'", (trial,)).fetchone()
    classes = json.loads(con.execute("SELECT labels FROM task").fetchone()[0])
    subprocess.run(["rm", "-rf", f"{folder}/b"], check=True)
    run("export", f"{seed}.db", str(trial), "--out", "b")
    *_, found = forest_file.read(open(f"{folder}/b/member1.forest", "rb").read())
    nodes = np.mean([len(tree) for tree in found])
    return (nodes, np.mean(np.frombuffer(truth, np.int32) == np.frombuffer(labels, np.int32)), oob[0] if oob else np.nan), classes


def nodes_of(tree):
    """Without those below a node of one class: with weights that are no whole numbers scikit-learn splits some, as their impurity is not quite zero to it."""
    pure, left, right, n, waiting = (tree.value[:, 0] > 0).sum(1) == 1, tree.children_left, tree.children_right, 0, [0]
    while waiting:
        node = waiting.pop()
        n += 1
        if left[node] >= 0 and not pure[node]:
            waiting += [left[node], right[node]]
    return n


def scikit_learn(x, labels, classes, train, held, model, settings, seed, trees):
    number = {name: c for c, name in enumerate(classes)}
    y = np.array([number[label] for label in labels])
    bootstrap = settings.get("bootstrap", model == "random_forest")
    forest = KINDS[model](trees, random_state=seed, n_jobs=2, oob_score=bootstrap, **settings).fit(x[train], y[train])
    return np.mean([nodes_of(t.tree_) for t in forest.estimators_]), forest.score(x[held], y[held]), forest.oob_score_ if bootstrap else np.nan


def compare(ours, theirs, scale, least):
    if np.isnan(ours).any():
        return f"{'':26}", False
    d, se = np.mean(ours) - np.mean(theirs), np.sqrt(np.var(ours, ddof=1) / len(ours) + np.var(theirs, ddof=1) / len(theirs))
    half = stats.t.ppf(0.995, 2 * len(ours) - 2) * se
    return f"{scale * d:+8.2f} [{scale * (d - half):+7.2f}, {scale * (d + half):+7.2f}]", abs(d) > max(half, least)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("flowsweep")
    p.add_argument("data")
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--trees", type=int, default=50)
    p.add_argument("--only", default="", help="settings whose line holds this")
    a = p.parse_args()
    labels, values = forests.frequent(*forests.read(f"{a.data}/apps/signed100.csv.gz"), classes=25)
    rng = np.random.default_rng(7)
    some = np.sort(rng.choice(len(labels), 4000, replace=False))
    labels, values = labels[some], values[some]
    train, held = forests.dealt(len(labels), rng)
    x, different = forests.columns(forests.SIGNED, values), 0
    print(f"{'':72} {'nodes a tree':>13} {'difference':>27} {'unseen, points':>27} {'out of bag, points':>27}")
    for model, settings in SETTINGS:
        name, found = f"{model} " + ", ".join(f"{k} = {written(v)}" for k, v in settings.items()), []
        if a.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            forests.write(folder, forests.SIGNED, labels, values, train, held)
            for seed in range(1, a.seeds + 1):
                ours, classes = flowsweep(os.path.abspath(a.flowsweep), folder, model, settings, seed, a.trees)
                found.append((ours, scikit_learn(x, labels, classes, train, held, model, settings, seed - 1, a.trees)))
        found = np.array(found)
        size = np.mean(found[:, 1, 0])
        nodes, unseen, oob = (compare(found[:, 0, i], found[:, 1, i], scale, least) for i, scale, least in ((0, 1, 0.01 * size), (1, 100, 0.003), (2, 100, 0.003)))
        differs = nodes[1] or unseen[1] or oob[1]
        different += differs
        print(f"{name:72} {size:13.1f} {nodes[0]} {unseen[0]} {oob[0]}{'  differs' if differs else ''}", flush=True)
    raise SystemExit(int(different > 0))


if __name__ == "__main__":
    main()
