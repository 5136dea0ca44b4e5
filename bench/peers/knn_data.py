"""The data sets of bench/knn, the same ones in every run: knn_data.py NAME APPS FOLDER

    apps    signed100.csv.gz in order: the first 80 % are the training rows, ASKED of the others drawn to be asked for; 100 signed sizes
    noise   20,000 training rows of 100 sizes drawn evenly, that no order of rows or columns helps to search, and ASKED to be asked for

Writes for flowsweep flows.csv (training rows, then HELD each for stop, validation and test: split.txt) and asked.csv; for peers the same numbers as
flowsweep sees them: fit and asked, .f32 (rows, 100) and .i32. Prints as JSON how many rows there are, and how many differ."""
import json
import sys
from pathlib import Path

import numpy

from forest_data import CLIP, HELD, Sizes, write_csv

ASKED = 2000


class Noise:
    header = Sizes.header
    text = Sizes.text

    def __init__(self, random):
        n = 20000 + 3 * HELD + ASKED
        self.x = random.integers(1, CLIP + 1, (n, 100)) * random.choice([-1, 1], (n, 100))
        self.y = random.integers(0, 20, n).astype("int32")


def main():
    name, apps, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    random = numpy.random.default_rng(6)
    source = Noise(random) if name == "noise" else Sizes(apps)
    cut = 20000 if name == "noise" else len(source.y) * 8 // 10
    others = cut + random.permutation(len(source.y) - cut)
    fit, held, asked = ((source.y[rows], source.x[rows]) for rows in (numpy.arange(cut), others[:3 * HELD], others[3 * HELD:][:ASKED]))
    write_csv(folder / "flows.csv", source, fit, held)
    write_csv(folder / "asked.csv", source, asked)
    (folder / "split.txt").write_text("train\n" * cut + "".join((part + "\n") * HELD for part in ("stop", "validation", "test")))
    for stem, (y, x) in (("fit", fit), ("asked", asked)):
        y.astype("int32").tofile(folder / f"{stem}.i32")
        (x / CLIP).astype("float32").tofile(folder / f"{stem}.f32")
    print(json.dumps(dict(rows=cut, distinct=len(numpy.unique(fit[1], axis=0)), asked=len(asked[0]), columns=fit[1].shape[1])))


if __name__ == "__main__":
    main()
