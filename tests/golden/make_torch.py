"""Writes tests/golden/torch.txt: training runs of the networks of tests/unit/models_golden_test.c as PyTorch makes them.

    python tests/golden/make_torch.py > tests/golden/torch.txt        (PyTorch 2.15, numpy 2)

Rows and weights follow from formulas that both sides know (tests/unit/toy_flows.h). Everything is float64 but the inputs, so the file is the exact answer.
Adam at .008, with an epsilon of 1e-3, so that no weight follows the rounding of a gradient that is zero; batch k has 70 rows, from row 30 k on, around. For
each network: losses of 50 batches before their updates; behind them probabilities of rows 0, 37 and 99, and the moving statistics of batch normalization.
An example must learn, and PyTorch must come to the same losses in float32: so nothing hangs on a ReLU that just opens.
"""
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../oracle"))
from torch_network import GRU, LSTM, Activation, BatchNorm, Conv, Dense, Flatten, KerasCell, Network, Pool

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
ROWS, STEPS, CLASSES, CLIP, BATCH, BATCHES = 100, 12, 5, 1500, 70, 50
CLASS_WEIGHT = torch.tensor([0.5, 2.0, 1.0, 0.25, 1.5])


def size(i, t):
    return 1500 if (i, t) == (0, 0) else (i * 7919 + t * 104729 + (i % CLASSES) * 31337 * (t % 3)) % 3001 - 1500


def rows(masking):
    """tokens, numbers (signed size, size), lengths, all but the tokens scaled; padding is token 0 and zeros."""
    sizes = np.array([[size(i, t) for t in range(STEPS)] for i in range(ROWS)])
    lengths = np.array([1 + i * 7 % STEPS if masking else STEPS for i in range(ROWS)])
    there = np.arange(STEPS)[None, :] < lengths[:, None]
    signed = sizes.astype(np.float32) * np.float32(1 / 1500) * there
    numbers = np.stack([signed, np.abs(signed)], 2).astype(np.float64)
    return torch.tensor((sizes + CLIP + 1) * there), torch.tensor(numbers), torch.tensor(lengths)


class Slab:
    """Starting weights, in the order of flowsweep's slab; a moving mean is 0, a moving variance 1."""

    def __init__(self, scale=0.4):
        self.at, self.scale = 0, scale

    def __call__(self, name, *shape):
        if "moving" in name:
            return torch.full(shape, float(name.endswith("variance")))
        n = int(np.prod(shape))
        i = np.arange(self.at, self.at + n, dtype=np.uint64)
        self.at += n
        x = (((i * 7919 + 13) % 2000).astype(np.float32) / np.float32(1000) - np.float32(1)) * np.float32(self.scale)
        return torch.tensor(x.astype(np.float64).reshape(shape))


def show(name, values):
    print(name, " ".join(f"{v:.7g}" for v in values))


def train(net, masking, class_weight, dtype=torch.float64):
    """Losses of its batches."""
    net.to(dtype)
    tokens, numbers, lengths = rows(masking)
    y, losses = torch.arange(ROWS) % CLASSES, []
    optimizer = torch.optim.Adam(net.parameters(), 0.008, eps=1e-3)
    for k in range(BATCHES):
        b = (30 * k + torch.arange(BATCH)) % ROWS
        optimizer.zero_grad()
        each = torch.nn.functional.cross_entropy(net(tokens[b], numbers[b].to(dtype), lengths[b]), y[b], reduction="none")
        loss = (each * (CLASS_WEIGHT[y[b]].to(dtype) if class_weight else 1)).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses)


def learn(name, make, masking, embedding=3, flat=False, class_weight=False, scale=0.4, beside=(1,)):
    nets = [Network([*make(), Dense(CLASSES)], Slab(scale), STEPS, 2, embedding, 2 * CLIP + 2, beside, flat, masking) for _ in range(2)]
    losses, rounded = train(nets[0], masking, class_weight), train(nets[1], masking, class_weight, torch.float32)
    fall, apart = 1 - losses[-5:].mean() / losses[:5].mean(), np.abs(rounded / losses - 1).max()
    if fall < 0.05 or apart > 4e-5:
        sys.exit(f"{name} is no example: its loss falls by {fall:.3f}, and in float32 PyTorch itself comes to another one, {apart:.1e} off")
    nets[0].eval()
    with torch.no_grad():
        p = torch.softmax(nets[0](*rows(masking)), 1)
    show(name + ".losses", losses)
    show(name + ".proba", torch.cat([p[0], p[37], p[99]]).tolist())
    norms = [l for l in nets[0].layers if isinstance(l, BatchNorm)]
    if norms:
        show(name + ".stats", torch.cat([v for n in norms for v in (n.mean, n.variance)]).tolist())


def run(name, make, **how):
    learn(name, make, False, **how)


def both(name, make, **how):
    """Once more with masking."""
    run(name, make, **how)
    learn(name + ".masked", make, True, **how)


def agree(module, cell):
    """KerasCell computes what PyTorch's module does, where that has it."""
    data = rows(True)
    found = [Network([c], Slab(), STEPS, 2, 3, 2 * CLIP + 2, [1], False, masking)(*data) for c in (module, cell) for masking in (False, True)]
    assert torch.allclose(found[0], found[2], 0, 1e-13) and torch.allclose(found[1], found[3], 0, 1e-13) and not torch.allclose(found[0], found[1])


agree(LSTM(6, True), KerasCell("lstm", 6, True))
agree(GRU(6, True), KerasCell("gru", 6, True, reset_after=True))

tanh, relu, sigmoid = (lambda name=name: Activation(name) for name in ("tanh", "relu", "sigmoid"))
run("dense", lambda: [Dense(16), relu(), Dense(9), tanh(), Dense(7), sigmoid()], embedding=0, flat=True, scale=1.2)
run("dense_embedding", lambda: [Dense(20), relu()], flat=True)
run("class_weight", lambda: [Dense(16), tanh()], embedding=0, flat=True, class_weight=True)
both("embedding", lambda: [Flatten()])
both("valid", lambda: [Conv(7, 3), tanh(), Flatten()])
both("same", lambda: [Conv(7, 4, same=True), tanh(), Flatten()])
both("dilated", lambda: [Conv(7, 3, dilation_rate=2), tanh(), Conv(5, 2, same=True, dilation_rate=3), tanh(), Flatten()])
both("strided", lambda: [Conv(7, 3, strides=2), tanh(), Flatten()])
both("same_strided", lambda: [Conv(7, 3, same=True, strides=2), tanh(), Flatten()])
both("same_strided_even", lambda: [Conv(7, 4, same=True, strides=2), tanh(), Conv(5, 5, same=True, strides=3), tanh(), Flatten()])
both("relu", lambda: [Conv(9, 3), relu(), Conv(5, 3), relu(), Flatten()])
both("tokens", lambda: [Conv(7, 3), relu(), Flatten()], beside=())
both("tokens_same", lambda: [Conv(9, 4, same=True), relu(), Conv(5, 3), tanh(), Flatten()], beside=())
both("tokens_strided", lambda: [Conv(7, 3, same=True, strides=2), tanh(), Flatten()], beside=())
both("tokens_dilated", lambda: [Conv(70, 3, dilation_rate=2), tanh(), Flatten()], beside=())
both("max", lambda: [Conv(7, 3), tanh(), Pool(2), Flatten()])
both("average", lambda: [Conv(7, 3), tanh(), Pool(3, average=True), Flatten()])
both("global_max", lambda: [Conv(7, 3), tanh(), Pool()])
both("global_average", lambda: [Conv(7, 3), tanh(), Pool(average=True)])
both("batch_norm", lambda: [Conv(7, 3), BatchNorm(), tanh(), Conv(5, 3), tanh(), BatchNorm(), Flatten()])
both("lstm", lambda: [LSTM(6)], scale=1.2)
both("lstm_both", lambda: [LSTM(18, True)])
both("lstm_hard", lambda: [KerasCell("lstm", 6, hard_sigmoid=True)], scale=1.2)
both("gru", lambda: [GRU(6)])
both("gru_both", lambda: [GRU(18, True)])
both("gru_hard", lambda: [KerasCell("gru", 6, hard_sigmoid=True, reset_after=True)], scale=1.2)
both("gru_before", lambda: [KerasCell("gru", 6)])
both("gru_before_both", lambda: [KerasCell("gru", 18, True)])
both("gru_before_hard", lambda: [KerasCell("gru", 6, hard_sigmoid=True)], scale=1.2)
both("cnn_lstm", lambda: [Conv(8, 3), relu(), BatchNorm(), Pool(2), LSTM(6, True), Dense(7), relu()], class_weight=True)
both("cnn_gru", lambda: [Conv(8, 3, same=True), relu(), BatchNorm(), Pool(2, average=True), GRU(6), Dense(7), tanh()], embedding=0)
