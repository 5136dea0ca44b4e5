"""A study of one forest, run and exported: what oracles compare."""
import json
import sqlite3
import subprocess
import tempfile

import numpy as np

import forest_file


def one_forest(program, config):
    """Its file as forest_file.read gives it, the labels, the rows of each part (but training), and all that `show` tells."""
    with tempfile.TemporaryDirectory() as folder:
        open(f"{folder}/forest.cfg", "w").write(config)
        run = lambda *a: subprocess.run([program, *a], cwd=folder, check=True, capture_output=True, text=True).stdout
        run("run", "forest.cfg", "-q", "-n", "0")
        con = sqlite3.connect(f"{folder}/forest.db")
        trial, = con.execute("SELECT t.id FROM trial t JOIN configuration c ON c.id = t.configuration WHERE c.model = 'random_forest'").fetchone()
        run("export", "forest.db", str(trial), "--out", "b")
        forest = forest_file.read(open(f"{folder}/b/member1.forest", "rb").read())
        labels = json.load(open(f"{folder}/b/manifest.json"))["labels"]
        rows = {part: set(np.frombuffer(rows, np.int32).tolist()) for part, rows in con.execute("SELECT part, rows FROM prediction WHERE trial = ?", (trial,))}
        return forest, labels, rows, json.loads(run("show", "forest.db", str(trial), "--format", "json"))
