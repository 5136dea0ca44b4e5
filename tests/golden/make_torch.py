"""Writes tests/golden/torch.txt: what PyTorch computes for the networks of tests/unit/models_golden_test.c.

    python tests/golden/make_torch.py > tests/golden/torch.txt        (PyTorch 2.15, numpy 2)

Inputs and weights follow from formulas that both sides know (tests/unit/toy_flows.h). All in float64 but the inputs, so the file is the exact answer. For each
network: probabilities before training of rows 0, 37 and 99; losses of 20 steps of Adam on all 100 rows; moving statistics of batch normalization at the end.
"""
import numpy as np
import torch

torch.set_default_dtype(torch.float64)
ROWS, STEPS, CLASSES, CLIP = 100, 12, 5, 1500


def size(i, t):
    return 1500 if (i, t) == (0, 0) else (i * 7919 + t * 104729 + (i % CLASSES) * 31337 * (t % 3)) % 3001 - 1500


SIZES = np.array([[size(i, t) for t in range(STEPS)] for i in range(ROWS)])
NUMBERS = torch.tensor((SIZES.astype(np.float32) * np.float32(1 / 1500)).astype(np.float64))[:, :, None]
TOKENS = torch.tensor(SIZES + CLIP + 1)
Y = torch.tensor([i % CLASSES for i in range(ROWS)])


class Slab:
    """Weights in the order of flowsweep's slab, cut into named pieces."""

    def __init__(self, n, scale):
        i = np.arange(n, dtype=np.uint64)
        x = (((i * 7919 + 13) % 2000).astype(np.float32) / np.float32(1000) - np.float32(1)) * np.float32(scale)
        self.w = torch.tensor(x.astype(np.float64), requires_grad=True)
        self.at = 0

    def take(self, *shape):
        n = int(np.prod(shape))
        self.at += n
        return self.w[self.at - n : self.at].reshape(shape)


class Norm:
    def __init__(self, width):
        self.mean, self.var = torch.zeros(width), torch.ones(width)

    def __call__(self, x, gamma, beta):
        m, v = x.mean((0, 1)), x.var((0, 1), unbiased=False)
        self.mean, self.var = 0.99 * self.mean + 0.01 * m.detach(), 0.99 * self.var + 0.01 * v.detach()
        return gamma * (x - m) / torch.sqrt(v + 1e-3) + beta

    def fixed(self, x, gamma, beta):
        return gamma * (x - self.mean) / torch.sqrt(self.var + 1e-3) + beta


def conv(x, w, b):  # torch's own convolution; w (k, in, out)
    return torch.nn.functional.conv1d(x.transpose(1, 2), w.permute(2, 1, 0), b).transpose(1, 2)


def pool(x):
    return torch.nn.functional.max_pool1d(x.transpose(1, 2), 2).transpose(1, 2)


def lstm(x, kernel, recurrent, bias):  # torch's own cell; gates i, f, g, o in both
    h = torch.zeros(len(x), recurrent.shape[0])
    c = torch.zeros_like(h)
    for t in range(x.shape[1]):
        h, c = torch.lstm_cell(x[:, t], (h, c), kernel.T, recurrent.T, bias, torch.zeros_like(bias))
    return h


def gru_after(x, kernel, recurrent, bias):  # torch's own cell; its gates are r, z, n
    u = recurrent.shape[0]
    order = torch.cat([torch.arange(u, 2 * u), torch.arange(u), torch.arange(2 * u, 3 * u)])
    h = torch.zeros(len(x), u)
    for t in range(x.shape[1]):
        h = torch.gru_cell(x[:, t], h, kernel.T[order], recurrent.T[order], bias[0][order], bias[1][order])
    return h


def gru_before(x, kernel, recurrent, bias):  # Keras' reset_after=False, hard sigmoid as in Keras 2
    u = recurrent.shape[0]
    gate = lambda a: torch.clamp(0.2 * a + 0.5, 0, 1)
    h = torch.zeros(len(x), u)
    for t in range(x.shape[1]):
        a = x[:, t] @ kernel + bias[0]
        z, r = gate(a[:, :u] + h @ recurrent[:, :u]), gate(a[:, u : 2 * u] + h @ recurrent[:, u : 2 * u])
        h = z * h + (1 - z) * torch.tanh(a[:, 2 * u :] + (r * h) @ recurrent[:, 2 * u :])
    return h


def dnn(s, norms, training):
    h = NUMBERS.reshape(ROWS, -1)
    h = torch.relu(h @ s.take(STEPS, 16) + s.take(16))
    h = torch.relu(h @ s.take(16, 9) + s.take(9))
    return h @ s.take(9, CLASSES) + s.take(CLASSES)


def recurrent_net(cell, gates, bias_rows):
    def net(s, norms, training):
        h = s.take(2 * CLIP + 2, 4)[TOKENS]
        h = torch.relu(conv(h, s.take(3, 4, 8), s.take(8)))
        gamma, beta = s.take(8), s.take(8)
        h = pool(norms[0](h, gamma, beta) if training else norms[0].fixed(h, gamma, beta))
        kernel, recurrent = s.take(8, gates * 6), s.take(6, gates * 6)
        bias = s.take(gates * 6) if bias_rows == 0 else s.take(bias_rows, gates * 6)
        h = cell(h, kernel, recurrent, bias)
        h = torch.relu(h @ s.take(6, 7) + s.take(7))
        return h @ s.take(7, CLASSES) + s.take(CLASSES)

    return net


def count(net):
    s = Slab(1 << 20, 0.1)
    net(s, [Norm(8)], False)
    return s.at


def show(name, values):
    print(name, " ".join(f"{v:.12g}" for v in values))


for name, net in (("dnn", dnn), ("cnn_lstm", recurrent_net(lstm, 4, 0)), ("cnn_gru", recurrent_net(gru_after, 3, 2)),
                  ("cnn_gru_before", recurrent_net(gru_before, 3, 1))):
    slab, norms = Slab(count(net), 0.4), [Norm(8)]

    def forward(training):
        slab.at = 0
        return net(slab, norms, training)

    with torch.no_grad():
        p = torch.softmax(forward(False), 1)
    show(name + ".proba", torch.cat([p[0], p[37], p[99]]).tolist())
    optimizer, losses = torch.optim.Adam([slab.w], lr=0.01, eps=1e-7), []
    for _ in range(20):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(forward(True), Y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    show(name + ".losses", losses)
    if name != "dnn":
        show(name + ".stats", norms[0].mean.tolist() + norms[0].var.tolist())
