"""flowsweep's networks in PyTorch, of PyTorch's own layers: for tests/golden/make_torch.py and weights.py.

x is (rows, steps, width). lengths (rows) are real steps of each row, or None without masking; what stands behind a row's end is never looked at. A layer's
load() asks for its weights by flowsweep's names and shapes, in the order of flowsweep's files: tensor(name, *shape). No dropout.
"""
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence


def real(x, lengths):
    """(rows, steps): which steps are."""
    return torch.arange(x.shape[1])[None, :] < lengths[:, None]


def cleared(x, lengths, by=0.0):
    return x if lengths is None else torch.where(real(x, lengths)[:, :, None], x, torch.tensor(by, dtype=x.dtype))


def fewer(lengths, by, steps):
    """Real steps behind a layer that makes one of `by`, and gives `steps` at most."""
    return None if lengths is None else torch.clamp((lengths + by - 1) // by, max=steps)


class Dense(nn.Module):
    kind = "dense"

    def __init__(self, units):
        super().__init__()
        self.units = units

    def load(self, tensor, steps, width):
        self.linear = nn.Linear(width, self.units)
        self.linear.weight = nn.Parameter(tensor("kernel", width, self.units).T.contiguous())
        self.linear.bias = nn.Parameter(tensor("bias", self.units))
        return steps, self.units

    def forward(self, x, lengths):
        return self.linear(x), lengths


class Activation(nn.Module):
    kind = "activation"

    def __init__(self, name):
        super().__init__()
        self.function = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}[name]

    def load(self, tensor, steps, width):
        return steps, width

    def forward(self, x, lengths):
        return self.function(x), lengths


class Conv(nn.Module):
    kind = "conv1d"

    def __init__(self, filters, kernel_size, same=False, strides=1, dilation_rate=1):
        super().__init__()
        self.filters, self.size, self.same, self.strides, self.dilation = filters, kernel_size, same, strides, dilation_rate

    def load(self, tensor, steps, width):
        self.conv = nn.Conv1d(width, self.filters, self.size, self.strides, dilation=self.dilation)
        self.conv.weight = nn.Parameter(tensor("kernel", self.size, width, self.filters).permute(2, 1, 0).contiguous())
        self.conv.bias = nn.Parameter(tensor("bias", self.filters))
        reach = (self.size - 1) * self.dilation
        self.steps = -(-(steps if self.same else steps - reach) // self.strides)
        lacking = max(0, (self.steps - 1) * self.strides + reach + 1 - steps) if self.same else 0
        self.pad = lacking // 2, lacking - lacking // 2  # TensorFlow: the odd one behind
        return self.steps, self.filters

    def forward(self, x, lengths):
        y = self.conv(F.pad(cleared(x, lengths).transpose(1, 2), self.pad)).transpose(1, 2)
        assert y.shape[1] == self.steps
        return y, fewer(lengths, self.strides, self.steps)


class Pool(nn.Module):
    kind = "pooling"

    def __init__(self, size=0, average=False):  # 0: all steps
        super().__init__()
        self.size, self.average = size, average

    def load(self, tensor, steps, width):
        self.size = self.size or steps
        return steps // self.size, width

    def averages(self, x, lengths):
        y = F.avg_pool1d(cleared(x, lengths).transpose(1, 2), self.size)
        if lengths is not None:  # over the real steps of a window
            y = y / F.avg_pool1d(real(x, lengths)[:, None, :].to(x.dtype), self.size).clamp(min=1 / self.size)
        return y

    def forward(self, x, lengths):
        y = self.averages(x, lengths) if self.average else F.max_pool1d(cleared(x, lengths, -torch.inf).transpose(1, 2), self.size)
        return y.transpose(1, 2), fewer(lengths, self.size, y.shape[2])


class BatchNorm(nn.Module):
    """PyTorch's, but the moving variance: Keras' is of the batch as it is, not n / (n - 1) of it."""

    kind = "batch_norm"
    momentum = 0.99

    def load(self, tensor, steps, width):
        self.gamma, self.beta = nn.Parameter(tensor("gamma", width)), nn.Parameter(tensor("beta", width))
        self.mean, self.variance = tensor("moving_mean", width), tensor("moving_variance", width)
        return steps, width

    def forward(self, x, lengths):
        there = torch.ones(x.shape[:2], dtype=torch.bool) if lengths is None else real(x, lengths)
        flat = x[there]
        if self.training:
            m = self.momentum
            self.mean = m * self.mean + (1 - m) * flat.detach().mean(0)
            self.variance = m * self.variance + (1 - m) * flat.detach().var(0, unbiased=False)
            flat = F.batch_norm(flat, None, None, self.gamma, self.beta, training=True, eps=1e-3)
        else:
            flat = F.batch_norm(flat, self.mean, self.variance, self.gamma, self.beta, eps=1e-3)
        return torch.zeros_like(x).masked_scatter(there[:, :, None], flat), lengths


class Flatten(nn.Module):
    kind = "flatten"

    def load(self, tensor, steps, width):
        return 1, steps * width

    def forward(self, x, lengths):
        return cleared(x, lengths).reshape(len(x), 1, -1), fewer(lengths, x.shape[1], 1)


class Recurrent(nn.Module):
    """The last output of PyTorch's LSTM or GRU, of both directions if wanted."""

    def __init__(self, units, bidirectional=False):
        super().__init__()
        self.units, self.both = units, bidirectional

    def load(self, tensor, steps, width):
        self.cell = self.module(width, self.units, batch_first=True, bidirectional=self.both)
        for name, ending in (("", ""), ("backward_", "_reverse"))[: 1 + self.both]:
            pieces = self.pieces(lambda part, *shape: tensor(name + part, *shape), width)
            for part, value in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), pieces):
                setattr(self.cell, f"{part}_l0{ending}", value)
        return 1, self.units * (1 + self.both)

    def forward(self, x, lengths):
        packed = x if lengths is None else pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        h = self.cell(packed)[1]
        h = h[0] if isinstance(h, tuple) else h
        return h.transpose(0, 1).reshape(len(x), 1, -1), fewer(lengths, x.shape[1], 1)


class LSTM(Recurrent):
    kind = "lstm"
    module = nn.LSTM

    def pieces(self, tensor, width):  # gates i, f, g, o in both; Keras has one bias
        kernel, recurrent = tensor("kernel", width, 4 * self.units), tensor("recurrent_kernel", self.units, 4 * self.units)
        bias = tensor("bias", 4 * self.units)
        return (*(nn.Parameter(v) for v in (kernel.T.contiguous(), recurrent.T.contiguous(), bias)), nn.Parameter(torch.zeros_like(bias), requires_grad=False))


class GRU(Recurrent):
    kind = "gru"
    module = nn.GRU

    def pieces(self, tensor, width):  # z, r, h; PyTorch has r, z, n
        u = self.units
        order = torch.cat([torch.arange(u, 2 * u), torch.arange(u), torch.arange(2 * u, 3 * u)])
        kernel, recurrent, bias = tensor("kernel", width, 3 * u), tensor("recurrent_kernel", u, 3 * u), tensor("bias", 2, 3 * u)
        return [nn.Parameter(v.contiguous()) for v in (kernel.T[order], recurrent.T[order], bias[0][order], bias[1][order])]


class KerasCell(nn.Module):
    """What PyTorch has no module for: hard sigmoids (Keras 2), the reset gate before the product."""

    def __init__(self, kind, units, bidirectional=False, hard_sigmoid=False, reset_after=False):
        super().__init__()
        self.kind, self.units, self.both, self.reset_after = kind, units, bidirectional, reset_after
        self.gate = (lambda x: torch.clamp(0.2 * x + 0.5, 0, 1)) if hard_sigmoid else torch.sigmoid
        self.step = self.lstm if kind == "lstm" else self.gru

    def load(self, tensor, steps, width):
        n = self.units * (4 if self.kind == "lstm" else 3)
        bias = (2, n) if self.kind == "gru" and self.reset_after else (n,)
        self.sides = nn.ModuleList()
        for name in ("", "backward_")[: 1 + self.both]:
            self.sides.append(nn.ParameterList([tensor(name + "kernel", width, n), tensor(name + "recurrent_kernel", self.units, n), tensor(name + "bias", *bias)]))
        return 1, self.units * (1 + self.both)

    def lstm(self, x, h, c, kernel, recurrent, bias):
        i, f, g, o = (x @ kernel + h @ recurrent + bias).chunk(4, 1)
        c = self.gate(f) * c + self.gate(i) * torch.tanh(g)
        return self.gate(o) * torch.tanh(c), c

    def gru(self, x, h, c, kernel, recurrent, bias):
        bias = bias if self.reset_after else torch.stack([bias, torch.zeros_like(bias)])
        xz, xr, xh = (x @ kernel + bias[0]).chunk(3, 1)
        uz, ur, uh = recurrent.chunk(3, 1)
        bz, br, bh = bias[1].chunk(3)
        z, r = self.gate(xz + h @ uz + bz), self.gate(xr + h @ ur + br)
        inner = r * (h @ uh + bh) if self.reset_after else (r * h) @ uh
        return z * h + (1 - z) * torch.tanh(xh + inner), c

    def forward(self, x, lengths):
        x, ends = cleared(x, lengths), []
        for side, weights in enumerate(self.sides):
            h = c = torch.zeros(len(x), self.units, dtype=x.dtype)
            for t in reversed(range(x.shape[1])) if side else range(x.shape[1]):
                new = self.step(x[:, t], h, c, *weights)
                there = torch.ones(len(x), 1, dtype=torch.bool) if lengths is None else (t < lengths)[:, None]
                h, c = torch.where(there, new[0], h), torch.where(there, new[1], c)
            ends.append(h)
        return torch.cat(ends, 1)[:, None, :], fewer(lengths, x.shape[1], 1)


class Network(nn.Module):
    """tokens (rows, steps) and numbers (rows, steps, channels) in, logits out. embedding: numbers a token gets, the other channels (`beside`) stand behind; 0: all
    channels are numbers. names: number of every layer in files, the input's first."""

    def __init__(self, layers, tensor, steps, channels, embedding=0, vocabulary=0, beside=(), flat=False, masking=False, names=None):
        super().__init__()
        names, self.layers, self.masking, self.flat, self.beside = names or range(99), nn.ModuleList(layers), masking, flat, list(beside)
        self.embedding = nn.Embedding(vocabulary, embedding, _weight=tensor(f"{names[0]}.embedding.embeddings", vocabulary, embedding)) if embedding else None
        width = embedding + len(self.beside) if embedding else channels
        if flat:
            steps, width = 1, steps * width
        for name, layer in zip(names[1:], layers):
            steps, width = layer.load(lambda part, *shape: tensor(f"{name}.{layer.kind}.{part}", *shape), steps, width)

    def forward(self, tokens, numbers, lengths):
        x = torch.cat([self.embedding(tokens), numbers[:, :, self.beside]], 2) if self.embedding else numbers
        x = x.reshape(len(x), 1, -1) if self.flat else x
        lengths = lengths if self.masking else None
        for layer in self.layers:
            x, lengths = layer(x, lengths)
        return x[:, 0]
