"""Forests on data at the edges: what a fully grown tree must say of a copy of a training row is the shares of labels among the training rows equal to it.

    python3 tests/oracle/forest_edges.py FLOWSWEEP [CASE ..]

That holds for any order of splits, and so for random forests and extremely randomized trees alike, whatever max_features is (all without bootstrap). Runs in the current
folder; without CASE all but `million`. Nothing but Python's own library.
"""
import collections
import csv
import random
import subprocess
import sys


def one_of_many(rng):
    return [("ab"[i == 77], (rng.randint(1, 9), -rng.randint(1, 9), i // 100 + 1)) for i in range(500)]


def two_rows(rng):
    return [("a", (100, -40, 7)), ("b", (100, -41, 7))]


def constant(rng):
    return [("ab"[i % 3 > 0], (5, -5, 5)) for i in range(60)]


def constant_but_one(rng):
    return [("abc"[x % 3], (5, -5, x, 9)) for x in range(1, 200)]


def same_rows(rng):
    return [(rng.choice("abcd"), (rng.randint(1, 4), rng.randint(1, 4), -rng.randint(1, 4))) for _ in range(3000)]


def many_values(rng):
    return [(rng.choice("abc") if x % 7 else "d", (x, rng.randint(1, 9))) for x in range(1, 70001)]


def many_classes(rng):
    return [(f"class{i % 5000:04}", (i % 5000 % 71 + 1, -(i % 5000 // 71) - 1, rng.randint(1, 3))) for i in range(10000)]


def million(rng):
    return [("abcdefgh"[(x * x // 1000 + (rng.random() < 0.1)) % 8], (x % 5000 + 1, -rng.randint(1, 40), x % 37 + 1)) for x in range(1000000)]


# name: rows, how many are asked for
CASES = {one_of_many: 100, two_rows: 2, constant: 20, constant_but_one: 199, same_rows: 300, many_values: 2000, many_classes: 150, million: 2000}

CONFIG = """study = {{ name = "edges"; database = "{0}.db"; seed = 3; }};
data = {{ path = "{0}.csv"; layout = "signed"; steps = {1}; clip = 0; split = {{ method = "file"; path = "{0}.parts"; stop = 0.0; }}; }};
task = {{ top_n = 0; steps = {1}; }};
space = {{ model = ["random_forest", "extra_trees"];
          random_forest = {{ n_estimators = 3; bootstrap = false; max_features = ( "none", 1 ); }};
          extra_trees = {{ n_estimators = 3; bootstrap = false; max_features = 1; }}; }};
"""


def ask(program, *words):
    return list(csv.DictReader(subprocess.run([program, *words, "--format", "csv"], capture_output=True, text=True, check=True).stdout.splitlines()))


def compare(program, name, trial, asked, n_rows, shares):
    """How many rows, and the largest difference of a probability."""
    found, worst = ask(program, "predictions", f"{name}.db", trial), 0
    if len(found) != len(asked):
        sys.exit(f"WRONG {name}: {len(found)} rows instead of {len(asked)}")
    for row in found:
        expected = shares[asked[int(row["row"]) - n_rows][1]]
        total = sum(expected.values())
        for label, p in list(row.items())[3:]:
            worst = max(worst, abs(float(p) - expected[label] / total))
    return len(found), worst


def train(program, name, workers, *options):
    done = subprocess.run([program, "run", f"{name}.cfg", "-n", workers, "-q", *options], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"WRONG {name}: run ends with {done.returncode}: {done.stderr}")


def digest(program, database):
    return subprocess.run([program, "db", "digest", database], capture_output=True, text=True, check=True).stdout


def run(program, case):
    rng, name = random.Random(5), case.__name__
    rows = case(rng)
    asked = rng.sample(rows, CASES[case])
    shares = collections.defaultdict(collections.Counter)
    for label, x in rows:
        shares[x][label] += 1
    with open(f"{name}.csv", "w") as f, open(f"{name}.parts", "w") as parts:
        for label, x in rows + asked:
            f.write(",".join([label, *map(str, x)]) + "\n")
        parts.write("train\n" * len(rows) + "validation\n" * len(asked))
    open(f"{name}.cfg", "w").write(CONFIG.format(name, len(rows[0][1])))
    wide = len(rows) > 65536  # columns of more than 16 bits
    train(program, name, "2" if wide else "0")  # two forests make one set of codes together
    if wide and name != "million":
        dealt = ["--set", "data.placement=sharded", "--set", "ranks.random_forest=2", "--set", "ranks.extra_trees=2"]
        train(program, name, "2", "--set", "study.database=dealt.db", *dealt)
        if digest(program, "dealt.db") != digest(program, f"{name}.db"):
            sys.exit(f"WRONG {name}: another digest where two ranks have half of the rows each")
    trials = [t for t in ask(program, "ls", f"{name}.db", "--columns", "trial,model") if t["model"] in ("random_forest", "extra_trees")]
    for t in trials:
        n, worst = compare(program, name, t["trial"], asked, len(rows), shares)
        if worst > 1e-6:
            sys.exit(f"WRONG {name}: {t['model']}, trial {t['trial']}: a probability differs by {worst}")
    print(f"ok    {name}: {len(trials)} forests on {len(rows)} rows, {n} rows asked for", flush=True)


def main():
    program, *names = sys.argv[1:]
    for case in CASES:
        if case.__name__ in names or (not names and case is not million):
            run(program, case)


main()
