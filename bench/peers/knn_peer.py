"""scikit-learn's side of bench/knn: knn_peer.py ALGORITHM FOLDER THREADS

Holds the data in memory, fits, prints "ready", then answers a line with a number:
    accuracy K     share of the asked rows that k neighbours get right
    throughput K   seconds of probabilities for all of them
    latency K      seconds of probabilities for one (median of 30 calls)"""
import statistics
import sys
import time

import numpy
from sklearn.neighbors import KNeighborsClassifier

COLUMNS = 100


class Side:
    def __init__(self, algorithm, folder, threads):
        x, y = self.part(folder, "fit")
        self.model = KNeighborsClassifier(algorithm=algorithm, n_jobs=threads).fit(x, y)
        self.x, self.y = self.part(folder, "asked")

    @staticmethod
    def part(folder, stem):
        return numpy.fromfile(f"{folder}/{stem}.f32", "float32").reshape(-1, COLUMNS), numpy.fromfile(f"{folder}/{stem}.i32", "int32")

    def seconds(self, x):
        start = time.perf_counter()
        self.model.predict_proba(x)
        return time.perf_counter() - start

    def accuracy(self):
        return self.model.score(self.x, self.y)

    def throughput(self):
        return self.seconds(self.x)

    def latency(self):
        return statistics.median(self.seconds(self.x[i:i + 1]) for i in range(30))


def main():
    side = Side(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    print("ready", flush=True)
    for line in sys.stdin:
        what, k = line.split()
        side.model.set_params(n_neighbors=int(k))
        print(getattr(side, what)(), flush=True)


if __name__ == "__main__":
    main()
