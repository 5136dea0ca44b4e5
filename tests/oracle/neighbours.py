"""Our nearest neighbours beside scikit-learn's.

    python tests/oracle/neighbours.py FLOWSWEEP FLOWS.csv

Sweeps k-NN over sizes and directions; asks scikit-learn (1.9.1; KNeighborsClassifier, brute) for the neighbours of 300 validation rows among the training rows, and
forms the votes anew. First with the first 4 packets, sizes up to 1000, unscaled: squared distances are whole numbers under 2^24, so that ours are exact and many are
equal; every probability must be what the definition says, ties to the earlier row, equal rows sharing their votes where told to. Then with 25 packets, scaled: where the
k-th and the next distance differ by 1e-5 or more, relative, probabilities must be scikit-learn's. Ends with code 1 where one is not.
"""
import csv
import io
import sqlite3
import subprocess
import sys
import tempfile

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

ROWS = 300

CONFIG = """
study = { name = "neighbours"; seed = 3; };
data = { path = "%s"; clip = %d; scaling = "%s"; split = { stop = 0.1; validation = 0.2; test = 0.1; }; };
task = { steps = %d; };
space = { model = "knn"; channels = ( ["signed_size"] ); knn = { n_neighbors = [2, 3, 10, 100]; duplicates = ["ordered", "shared"]; }; };
"""


def sequences(path, steps, clip):
    """Labels and signed sizes of the first packets, zeros behind the end."""
    rows = list(csv.reader(open(path)))
    rows = rows[0 if rows[0][1].replace(".", "").replace("-", "").isdigit() else 1:]
    x = np.zeros((len(rows), steps))
    for i, cells in enumerate(rows):
        n = (len(cells) - 1) // 4
        size, direction = np.array(cells[1:1 + n], float), np.array(cells[1 + 3 * n:1 + 4 * n], float)
        real = direction != 0
        signed = np.clip(size * direction, -clip, clip)[real][:steps]
        x[i, :len(signed)] = signed
    return [cells[0] for cells in rows], x


def votes(order, same, y, k, shared, classes):
    """order: all training rows, the nearest first; same: of each, the number of its sequence."""
    out = np.zeros(classes)
    if not shared:
        np.add.at(out, y[order[:k]], 1)
        return out / k
    left, seen = k, set()
    for row in order:
        if left == 0:
            break
        if same[row] in seen:
            continue
        seen.add(same[row])
        equal = np.flatnonzero(same == same[row])
        given = min(left, len(equal))
        np.add.at(out, y[equal], given / len(equal))
        left -= given
    return out / k


class Study:
    def __init__(self, program, flows, clip, scaling, steps, folder):
        open(f"{folder}/knn.cfg", "w").write(CONFIG % (flows, clip, scaling, steps))
        self.run = lambda *a: subprocess.run([program, *a], cwd=folder, check=True, capture_output=True, text=True).stdout
        self.run("run", "knn.cfg", "-q", "-n", "0", "--fresh")
        con = sqlite3.connect(f"{folder}/neighbours.db")
        self.trials = con.execute("SELECT trial, \"knn.n_neighbors\", \"knn.duplicates\" FROM trials WHERE model = 'knn' AND state = 'done'").fetchall()
        held = set()
        for rows, in con.execute("SELECT rows FROM prediction"):
            held |= set(np.frombuffer(rows, np.int32).tolist())
        con.close()
        labels, x = sequences(flows, steps, clip)
        self.train = np.array([i for i in range(len(labels)) if i not in held])
        self.x, self.labels = x, labels

    def predictions(self, trial):
        """File rows of the first ROWS, classes, probabilities."""
        rows = list(csv.DictReader(io.StringIO(self.run("predictions", "neighbours.db", str(trial), "--part", "validation", "--format", "csv"))))[:ROWS]
        names = [name for name in rows[0] if name not in ("row", "truth", "label")]
        return np.array([int(r["row"]) for r in rows]), names, np.array([[float(r[name]) for name in names] for r in rows])


def compare(study, exact):
    """(rows compared, rows left out because distances are too near each other, rows that differ)"""
    compared, near, wrong = 0, 0, 0
    train, asked = study.x[study.train], None
    same = np.unique(train, axis=0, return_inverse=True)[1].ravel()
    for trial, k, duplicates in study.trials:
        rows, names, proba = study.predictions(trial)
        y = np.array([names.index(study.labels[i]) for i in study.train])
        if asked is None:
            peer, asked = KNeighborsClassifier(algorithm="brute").fit(train, y), rows
            distance, order = peer.kneighbors(study.x[asked], n_neighbors=len(train))
        assert (rows == asked).all()
        theirs = peer.set_params(n_neighbors=int(k)).predict_proba(study.x[rows])
        for i in range(len(rows)):
            squares = np.rint(distance[i] ** 2)
            clear = distance[i][k] - distance[i][k - 1] > 1e-5 * distance[i][k]
            if exact:
                first = order[i][np.lexsort((order[i], squares))]
                expected = votes(first, same, y, k, duplicates == "shared", len(names))
            elif clear:
                expected = np.zeros(len(names))
                expected[np.unique(y)] = theirs[i]
            else:
                near += 1
                continue
            compared += 1
            good = np.allclose(proba[i], expected, rtol=0, atol=2e-6)
            if clear:
                good &= np.allclose(proba[i][np.unique(y)], theirs[i], rtol=0, atol=2e-6)
            wrong += not good
    return compared, near, wrong


def main():
    program, flows = sys.argv[1:]
    bad, said = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for clip, scaling, steps, exact in ((1000, "none", 4, True), (1500, "symmetric", 25, False)):
            study = Study(program, flows, clip, scaling, steps, folder)
            assert len(study.trials) >= 8, study.trials
            compared, near, wrong = compare(study, exact)
            bad += wrong or compared < 100
            said.append(f"{compared} votes over {steps} packets ({near} more had neighbours too near each other to tell), {wrong} wrong")
    print("; ".join(said))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
