"""The data sets of bench/forests, the same ones in every run: forest_data.py NAME APPS FOLDER

    small   5,897 rows of the 25 most frequent classes and 1,475 others to score; 100 signed sizes of signed100.csv.gz
    large   200,000 rows drawn with replacement from flows.csv.gz, sizes and times jittered (2 and 5 %), and 2,000 more to score; 25 packets of 4 channels
    apps    every row of signed100.csv.gz in order: the first 80 % to fit, the others to score

Writes for flowsweep flows.csv (rows to fit, then HELD each for stop, validation and test: split.txt), held.csv and many.csv (100,000 rows drawn and
jittered, to predict); for peers the same numbers as flowsweep's forest sees them: fit, held and many, .f32 (rows, 100) and .i32.
Prints as JSON how many rows, classes, and distinct values in a column there are."""
import csv
import gzip
import json
import sys
from pathlib import Path

import numpy

HELD, CLIP, MANY, STEPS = 32, 1500, 100000, 25


def read(path):
    with gzip.open(path, "rt") as f:
        rows = csv.reader(f)
        next(rows)
        labels, values = zip(*((row[0], [float(v) for v in row[1:]]) for row in rows))
    counts = {}
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
    rank = {label: i for i, label in enumerate(sorted(counts, key=lambda x: (-counts[x], x)))}
    return numpy.array([rank[label] for label in labels], "int32"), numpy.array(values)


def jitter(random, sizes):
    """Up to some per cent of a size, its sign kept; zero stays zero."""
    moved = numpy.rint(numpy.abs(sizes) * random.normal(1, 0.02, sizes.shape))
    return numpy.where(sizes == 0, 0, numpy.sign(sizes) * numpy.clip(moved, 1, CLIP))


class Sizes:
    """Rows of signed sizes: a column a packet, padded behind."""
    header = [f"p{i + 1}" for i in range(100)]

    def __init__(self, apps):
        self.y, x = read(apps / "signed100.csv.gz")
        self.x = numpy.clip(x, -CLIP, CLIP)

    def draw(self, random, rows):
        return jitter(random, self.x[rows])

    def text(self, x):
        return x.astype("int64").tolist()

    def seen(self, x):
        return x


class Blocks:
    """Rows of four blocks (sizes, payloads, times, directions) of 25 packets, padded in front."""
    header = [f"{name}{i + 1}" for name in ("size", "pay", "iat", "dir") for i in range(STEPS)]

    def __init__(self, apps):
        self.y, self.x = read(apps / "flows.csv.gz")
        self.x[:, :2 * STEPS] = numpy.clip(self.x[:, :2 * STEPS], 0, CLIP)

    def draw(self, random, rows):
        x = self.x[rows].reshape(-1, 4, STEPS)
        x[:, 0] = jitter(random, x[:, 0])
        x[:, 1] = x[:, 0]  # as in the file: frame sizes were not released
        x[:, 2] = numpy.round(x[:, 2] * numpy.exp(random.normal(0, 0.05, x[:, 2].shape)), 9)
        return x.reshape(-1, 4 * STEPS)

    def text(self, x):
        return [[f"{v:.9g}" for v in row] for row in x]

    def seen(self, x):
        """Packet 1 in front, times as log1p of microseconds, channels of a packet side by side."""
        x = x.reshape(-1, 4, STEPS)
        length = numpy.count_nonzero(x[:, 3], axis=1)
        at = numpy.arange(STEPS) + (STEPS - length)[:, None]
        there = at < STEPS
        aligned = numpy.take_along_axis(x, numpy.where(there, at, 0)[:, None, :], 2) * there[:, None, :]
        aligned[:, 2] = numpy.log1p(aligned[:, 2] * 1e6)
        return aligned.transpose(0, 2, 1).reshape(-1, 4 * STEPS)


def choose(name, source, random):
    """Rows to fit, HELD * 3 more for flowsweep's other parts, rows to score; drawn: they are jittered."""
    n = len(source.y)
    if name == "apps":
        cut = n * 8 // 10
        return numpy.arange(cut), random.integers(0, cut, 3 * HELD), numpy.arange(cut, n)
    if name == "small":
        mine = random.permutation(numpy.flatnonzero(source.y < 25))
        return mine[:5897], mine[5897:5897 + 3 * HELD], mine[5897 + 3 * HELD:][:1475]
    drawn = random.integers(0, n, 200000 + 3 * HELD + 2000)
    return drawn[:200000], drawn[200000:-2000], drawn[-2000:]


def write_csv(path, source, *parts):
    with open(path, "w") as f:
        f.write(",".join(["label", *source.header]) + "\n")
        for y, x in parts:
            f.writelines(f"c{label:02d}," + ",".join(map(str, row)) + "\n" for label, row in zip(y, source.text(x)))


def main():
    name, apps, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    random = numpy.random.default_rng(5)
    source = Blocks(apps) if name == "large" else Sizes(apps)
    chosen = choose(name, source, random)
    many = random.choice(chosen[0], MANY)
    parts = [(source.y[rows], source.draw(random, rows) if name == "large" else source.x[rows]) for rows in chosen]
    parts.append((source.y[many], source.draw(random, many)))
    fit, others, held, many = parts
    write_csv(folder / "flows.csv", source, fit, others)
    (folder / "split.txt").write_text("train\n" * len(fit[0]) + "".join((part + "\n") * HELD for part in ("stop", "validation", "test")))
    for stem, part in (("fit", fit), ("held", held), ("many", many)):
        part[0].tofile(folder / f"{stem}.i32")
        source.seen(part[1]).astype("float32").tofile(folder / f"{stem}.f32")
        if stem != "fit":
            write_csv(folder / f"{stem}.csv", source, part)
    distinct = sorted(len(numpy.unique(column)) for column in source.seen(fit[1]).astype("float32").T)
    print(json.dumps(dict(rows=len(fit[0]), held=len(held[0]), classes=len(numpy.unique(fit[0])), least=distinct[0], median=distinct[50], most=distinct[-1])))


if __name__ == "__main__":
    main()
