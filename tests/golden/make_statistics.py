"""Statistics of flows as numpy has them, for tests/unit/flows_statistics_test.c: python3 make_statistics.py > statistics.txt

A flow is a line of its packets and how large sizes may be (0: any), lines of sizes, payloads, times and directions, and a line of 42 numbers."""
import numpy as np


def values(x):
    return [*np.percentile(x, [25, 50, 75]), x.max(), x.mean(), x.std()] if len(x) else [0.0] * 6


def gaps(at, chosen):
    x = np.diff(at[chosen])
    return [*np.percentile(x, [25, 50, 75])] if len(x) else [0.0] * 3


def statistics(size, payload, iat, direction, clip):
    size, payload = (np.minimum(x, clip or np.inf) for x in (size, payload))
    at, found = np.cumsum(np.maximum(iat, 0)), []
    for name, way in (("out", direction > 0), ("in", direction < 0), ("all", direction != 0)):
        found += [way.sum(), *values(size[way]), *(values(payload[way]) if name != "all" else []), *gaps(at, way)]
    return found


def flows():
    r = np.random.default_rng(5)
    for n, clip, p in ((0, 0, .5), (1, 0, 1), (1, 0, 0), (2, 0, .5), (3, 1500, .5), (4, 1500, 1), (5, 1500, 0), (10, 0, .5), (25, 1500, .3), (25, 0, .5), (70, 0, .4), (400, 1500, .5)):
        size = r.integers(40, 3000, n) * r.integers(1, 3, n)
        payload = np.maximum(size - 40, 0) * r.integers(0, 2, n)
        iat = np.round(r.exponential(.05, n) * r.integers(0, 2, n) - .01 * (r.random(n) < .1), 4).astype(np.float32).astype(float)
        yield size.astype(float), payload.astype(float), iat, np.where(r.random(n) < p, 1, -1), clip


if __name__ == "__main__":
    print("# make_statistics.py, numpy", np.__version__)
    for size, payload, iat, direction, clip in flows():
        print(len(size), clip)
        for x in (size * direction, payload, iat, direction):
            print(*(f"{v:.9g}" for v in x))
        print(*(f"{np.float32(v):.9g}" for v in statistics(size, payload, iat, direction, clip)))
