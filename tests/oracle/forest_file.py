"""The forest file as docs/forest-file.md says, read without our code; and its first form, written."""
import struct


def width(n):
    return 1 if n < 0xff else 2 if n < 0xffff else 4


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def numbers(self, n, bytes_each):
        taken = self.data[self.at:self.at + n * bytes_each]
        assert len(taken) == n * bytes_each, "the file ends too early"
        self.at += n * bytes_each
        return [int.from_bytes(taken[i * bytes_each:(i + 1) * bytes_each], "little") for i in range(n)]

    def floats(self, n, letter="f"):
        size = struct.calcsize(letter)
        found = struct.unpack_from(f"<{n}{letter}", self.data, self.at)
        self.at += n * size
        return list(found)


def read_tree(r, columns, classes):
    """Nodes in preorder: (column, threshold, right child) or (-1, [(class, share), ..], None)."""
    of_column, of_class = width(columns), width(classes)
    n, n_shares = r.numbers(2, 4)
    where = r.numbers(n, of_column)
    thresholds, leaves = iter(r.floats(n // 2)), r.numbers(n // 2 + 1, of_class)
    several = sum(leaf == 256 ** of_class - 1 for leaf in leaves)
    counts = iter(r.numbers(several, of_class))
    shares = iter(list(zip(r.numbers(n_shares, of_class), r.floats(n_shares))))
    leaves, nodes, waiting = iter(leaves), [], []
    for column in where:
        if column != 256 ** of_column - 1:
            waiting.append(len(nodes))
            nodes.append([column, next(thresholds), None])
            continue
        leaf = next(leaves)
        nodes.append([-1, [(leaf, 1.0)] if leaf != 256 ** of_class - 1 else [next(shares) for _ in range(next(counts))], None])
        if waiting:
            nodes[waiting.pop()][2] = len(nodes)
    return nodes


def read(data):
    """columns, classes, importances, trees"""
    assert data[:8] == b"FSFORST2"
    r = Reader(data)
    r.at = 8
    columns, classes, trees = r.numbers(3, 4)
    importances = r.floats(columns, "d")
    found = [read_tree(r, columns, classes) for _ in range(trees)]
    assert r.at == len(data), "bytes behind the last tree"
    return columns, classes, importances, found


def write_first(columns, classes, importances, trees):
    """As FSFORST1 had it."""
    out = [b"FSFORST1", struct.pack("<3i", columns, classes, len(trees)), struct.pack(f"<{columns}d", *importances)]
    for nodes in trees:
        entries, body = [], []
        for column, what, right in nodes:
            if column < 0:
                body.append(struct.pack("<3i", -1, len(what), len(entries)))
                entries += what
            else:
                body.append(struct.pack("<ifi", column, what, right))
        out += [struct.pack("<2i", len(nodes), len(entries)), *body, struct.pack(f"<{len(entries)}i", *(c for c, _ in entries)),
                struct.pack(f"<{len(entries)}f", *(s for _, s in entries))]
    return b"".join(out)
