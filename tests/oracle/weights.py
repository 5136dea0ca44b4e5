"""Do exported networks compute in other hands what flowsweep computes? Their weights are read by the safetensors package, the manifest says the rest.

    python tests/oracle/weights.py FLOWSWEEP FLOWS.csv BUNDLE...

FLOWS.csv is in blocks: label, then size, payload, iat and direction (0: padding) of every step. Each bundle's probabilities of all rows, by `predict --proba`, beside
a forward pass in float64: in numpy, and in PyTorch where that is there (torch_network.py). Logits are known up to a constant, so logarithms of probabilities are
compared: 1e-5. Oracle: safetensors 0.8, PyTorch 2.15.
"""
import csv
import io
import json
import subprocess
import sys

import numpy as np
import safetensors.numpy

try:
    import safetensors.torch
    import torch
    import torch_network as twins
except ImportError:
    torch = None

LIMIT = 1e-5


def read_flows(path):
    """channel -> (rows, steps), packets first, and lengths."""
    with open(path) as f:
        lines = list(csv.reader(f))
    x = np.array([line[1:] for line in lines[1:]], np.float32)
    blocks = dict(zip(("size", "payload", "iat", "direction"), np.split(x, 4, axis=1)))
    padding = blocks["direction"] == 0
    order = np.argsort(padding, 1, kind="stable")
    return {name: np.take_along_axis(block, order, 1) for name, block in blocks.items()}, (~padding).sum(1)


def inputs(flows, length, f):
    """tokens (rows, steps), numbers (rows, steps, channels), scaled as the manifest's `features` say, and lengths."""
    steps, clip = f["steps"], f["clip"]
    length = np.minimum(length, steps)
    real = np.arange(steps) < length[:, None]
    flows = {k: v[:, :steps] for k, v in flows.items()}
    signed = np.clip(flows["size"] * flows["direction"], -clip, clip)
    known = {"signed_size": signed, "size": np.abs(signed), "payload": np.clip(flows["payload"], -clip, clip), "direction": flows["direction"],
             "iat": np.log1p(np.maximum(flows["iat"], 0).astype(np.float64) * 1e6).astype(np.float32)}
    raw = np.stack([known[c] for c in f["channels"]], 2)
    scale = [np.array(f[k], np.float32).reshape(steps, -1) for k in ("offset", "factor")]
    numbers = (raw - scale[0]) * scale[1] * real[:, :, None]
    return np.where(real, np.rint(signed).astype(np.int64) + clip + 1, 0), numbers.astype(np.float64), np.maximum(length, 1)


def layers_of(model, params, classes):
    """(kind, settings) of every layer behind the input; the i-th has number i + 1 in names."""
    p = {k[len(model) + 1:]: v for k, v in params.items() if k.startswith(model + ".")}
    drop = [("dropout", {})] if p["dropout"] > 0 else []
    out = []
    if model == "dnn":
        for units in p["hidden_layer_sizes"]:
            out += [("dense", {"units": units}), ("activation", {"name": p["activation"]}), *drop]
        return out + [("dense", {"units": classes})]
    for filters in p["filters"]:
        out.append(("conv1d", dict(filters=filters, kernel_size=p["kernel_size"], same=p["padding"] == "same", strides=p["strides"], dilation_rate=p["dilation_rate"])))
        out.append(("activation", {"name": "relu"}))
        out += [("batch_norm", {})] if p["batch_norm"] else []
        out += [("pooling", dict(size=p["pool_size"], average=p["pooling"] == "average"))] if p["pool_size"] > 1 else []
    out += drop
    if p["cell"] in ("lstm", "gru"):
        out.append((p["cell"], dict(units=p["units"], bidirectional=p["bidirectional"], hard_sigmoid=p["recurrent_activation"] == "hard_sigmoid",
                                    reset_after=p.get("reset_after", False))))
    else:
        out.append(("flatten", {}) if p["cell"] == "flatten" else ("pooling", dict(size=0, average=p["cell"] == "global_average")))
    out += drop
    if p["dense"]:
        out += [("dense", {"units": p["dense"]}), ("activation", {"name": p["dense_activation"]})]
    return out + [("dense", {"units": classes})]


# --- numpy: x (rows, steps, width), length (rows) or None without masking; w(name) is a tensor of the layer ---

def real_steps(x, length):
    return (np.ones(x.shape[:2], bool) if length is None else np.arange(x.shape[1]) < length[:, None])[:, :, None]


def fewer(length, by, steps):
    return None if length is None else np.minimum(-(-length // by), steps)


def activation(x, length, w, name):
    return {"relu": lambda v: np.maximum(v, 0), "tanh": np.tanh, "sigmoid": lambda v: 1 / (1 + np.exp(-v))}[name](x), length


def dense(x, length, w, units):
    return x @ w("kernel") + w("bias"), length


def conv1d(x, length, w, filters, kernel_size, same, strides, dilation_rate):
    reach, given = (kernel_size - 1) * dilation_rate, x.shape[1]
    steps = -(-(given if same else given - reach) // strides)
    lacking = max(0, (steps - 1) * strides + reach + 1 - given) if same else 0
    x = np.pad(np.where(real_steps(x, length), x, 0), ((0, 0), (lacking // 2, lacking - lacking // 2), (0, 0)))
    taps = [x[:, k * dilation_rate :][:, : (steps - 1) * strides + 1 : strides] @ w("kernel")[k] for k in range(kernel_size)]
    return sum(taps) + w("bias"), fewer(length, strides, steps)


def pooling(x, length, w, size, average):
    size = size or x.shape[1]
    steps, width = x.shape[1] // size, x.shape[2]
    there = np.broadcast_to(real_steps(x, length), x.shape)[:, : steps * size].reshape(-1, steps, size, width)
    x = x[:, : steps * size].reshape(-1, steps, size, width)
    y = np.where(there, x, 0).sum(2) / np.maximum(there.sum(2), 1) if average else np.where(there, x, -np.inf).max(2)
    return y, fewer(length, size, steps)


def batch_norm(x, length, w):
    return w("gamma") * (x - w("moving_mean")) / np.sqrt(w("moving_variance") + 1e-3) + w("beta"), length


def flatten(x, length, w):
    return np.where(real_steps(x, length), x, 0).reshape(len(x), 1, -1), fewer(length, x.shape[1], 1)


def dropout(x, length, w):
    return x, length


def lstm_step(x, h, c, kernel, recurrent, bias, gate, reset_after):
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
    c = gate(f) * c + gate(i) * np.tanh(g)
    return gate(o) * np.tanh(c), c


def gru_step(x, h, c, kernel, recurrent, bias, gate, reset_after):
    u = h.shape[1]
    a, b = x @ kernel + (bias[0] if reset_after else bias), bias[1] if reset_after else np.zeros(3 * u)
    gates = gate(a[:, : 2 * u] + h @ recurrent[:, : 2 * u] + b[: 2 * u])
    z, r = gates[:, :u], gates[:, u:]
    inner = r * (h @ recurrent[:, 2 * u :] + b[2 * u :]) if reset_after else (r * h) @ recurrent[:, 2 * u :]
    return z * h + (1 - z) * np.tanh(a[:, 2 * u :] + inner), c


def cell(step, x, length, w, units, bidirectional, hard_sigmoid, reset_after):
    gate = (lambda v: np.clip(0.2 * v + 0.5, 0, 1)) if hard_sigmoid else (lambda v: 1 / (1 + np.exp(-v)))
    there, ends = real_steps(x, length), []
    x = np.where(there, x, 0)
    for side in ("", "backward_")[: 1 + bidirectional]:
        h = c = np.zeros((len(x), units))
        weights = [w(side + name) for name in ("kernel", "recurrent_kernel", "bias")]
        for t in range(x.shape[1])[:: -1 if side else 1]:
            new = step(x[:, t], h, c, *weights, gate, reset_after)
            h, c = np.where(there[:, t], new[0], h), np.where(there[:, t], new[1], c)
        ends.append(h)
    return np.concatenate(ends, 1)[:, None, :], fewer(length, x.shape[1], 1)


LAYERS = {f.__name__: f for f in (activation, dense, conv1d, pooling, batch_norm, flatten, dropout)}
LAYERS["lstm"] = lambda x, length, w, **how: cell(lstm_step, x, length, w, **how)
LAYERS["gru"] = lambda x, length, w, **how: cell(gru_step, x, length, w, **how)


def embedded(tokens, numbers, features, weights):
    if "0.embedding.embeddings" not in weights:
        return numbers
    beside = [i for i, c in enumerate(features["channels"]) if c != "signed_size"]
    return np.concatenate([weights["0.embedding.embeddings"].astype(np.float64)[tokens], numbers[:, :, beside]], 2)


def by_numpy(path, layers, model, masking, features, tokens, numbers, length):
    weights, used = safetensors.numpy.load_file(path), {"0.embedding.embeddings"}

    def tensor(name):
        used.add(name)
        return weights[name].astype(np.float64)

    x, length = embedded(tokens, numbers, features, weights), length if masking else None
    x = x.reshape(len(x), 1, -1) if model == "dnn" else x
    for number, (kind, how) in enumerate(layers, 1):
        x, length = LAYERS[kind](x, length, lambda name: tensor(f"{number}.{kind}.{name}"), **how)
    assert set(weights) <= used, f"not needed: {set(weights) - used}"
    return x[:, 0]


# --- PyTorch ---

def twin(kind, how):
    if kind in ("lstm", "gru"):
        if how["hard_sigmoid"] or (kind == "gru" and not how["reset_after"]):
            return twins.KerasCell(kind, **how)
        return (twins.LSTM if kind == "lstm" else twins.GRU)(how["units"], how["bidirectional"])
    kinds = {"dense": twins.Dense, "activation": twins.Activation, "conv1d": twins.Conv, "pooling": twins.Pool, "batch_norm": twins.BatchNorm, "flatten": twins.Flatten}
    return kinds[kind](**how)


def by_torch(path, layers, model, masking, features, tokens, numbers, length):
    weights = safetensors.torch.load_file(path)

    def tensor(name, *shape):
        assert weights[name].shape == shape, name
        return weights[name].double()

    table, there = weights.get("0.embedding.embeddings"), [i for i, (kind, _) in enumerate(layers) if kind != "dropout"]
    beside = [i for i, c in enumerate(features["channels"]) if c != "signed_size"]
    net = twins.Network([twin(*layers[i]) for i in there], tensor, features["steps"], numbers.shape[2], 0 if table is None else table.shape[1],
                        0 if table is None else table.shape[0], beside, model == "dnn", masking, [0, *(i + 1 for i in there)]).double().eval()
    with torch.no_grad():
        return net(torch.tensor(tokens), torch.tensor(numbers), torch.tensor(length)).numpy()


# --- bundles ---

def predicted(program, bundle, flows, labels):
    out = subprocess.run([program, "predict", bundle, flows, "--proba", "--format", "csv"], check=True, capture_output=True, text=True).stdout
    return np.array([[float(row[label]) for label in labels] for row in csv.DictReader(io.StringIO(out))])


def distance(logits, proba):
    logs = logits - logits.max(1, keepdims=True)
    return np.abs(logs - np.log(np.exp(logs).sum(1, keepdims=True)) - np.log(proba)).max()


def main():
    program, path, *bundles = sys.argv[1:]
    flows, length = read_flows(path)
    assert length.min() < length.max(), "masking would do nothing"
    ways = {"numpy": by_numpy, **({"PyTorch": by_torch} if torch else {})}
    worst = dict.fromkeys(ways, 0.0)
    for bundle in bundles:
        with open(f"{bundle}/manifest.json") as f:
            manifest = json.load(f)
        (member,), labels = manifest["members"], manifest["labels"]
        model, params, features = member["model"], member["params"], member["features"]
        layers, given = layers_of(model, params, len(labels)), inputs(flows, length, features)
        proba = predicted(program, bundle, path, labels)
        assert proba.shape == (len(length), len(labels)) and proba.std(0).max() > 1e-3, "nothing to compare"
        for name, way in ways.items():
            d = distance(way(f"{bundle}/{member['file']}", layers, model, params.get(f"{model}.masking", False), features, *given), proba)
            worst[name] = max(worst[name], d)
            if not d <= LIMIT:
                print(f"{bundle}: {d:.1e} from {name}: {params}")
    print(f"{len(bundles)} bundles of {len(length)} rows: " + ", ".join(f"logits within {d:.1e} of {name}'s" for name, d in worst.items()))
    return not all(d <= LIMIT for d in worst.values())


if __name__ == "__main__":
    raise SystemExit(main())
