"""Writes tests/golden/optimizers.txt: optimizers and schedules as PyTorch has them, for tests/unit/models_optimizer_test.c.

    python tests/golden/make_optimizers.py > tests/golden/optimizers.txt        (PyTorch 2.15, numpy 2)

The network, its weights and its rows are those of "dnn" in make_torch.py. Ten epochs of five batches of 20 rows, in the rows' order; float64 but for the inputs.
A line is NAME.losses, the loss of every batch before its update, or NAME.rates, the rate of every update. The name tells the parameters in the test.

Where Keras means something else than PyTorch, the difference is taken away: weight_decay is decoupled for every optimizer (weights are multiplied by
1 - rate * decay before PyTorch's own step), weights of classes multiply a row's whole loss, RMSprop's epsilon is too small to matter, and the run "rmsprop_epsilon", where it matters, is Keras' formula.
"""
import numpy as np
import torch
from torch.optim import lr_scheduler as schedulers

torch.set_default_dtype(torch.float64)
ROWS, STEPS, CLASSES, BATCH, EPOCHS = 100, 12, 5, 20, 10
EPOCH_STEPS = ROWS // BATCH


def size(i, t):
    return 1500 if (i, t) == (0, 0) else (i * 7919 + t * 104729 + (i % CLASSES) * 31337 * (t % 3)) % 3001 - 1500


SIZES = np.array([[size(i, t) for t in range(STEPS)] for i in range(ROWS)])
X = torch.tensor((SIZES.astype(np.float32) * np.float32(1 / 1500)).astype(np.float64))
Y = torch.tensor([i % CLASSES for i in range(ROWS)])
SHAPES = ((STEPS, 16), (16,), (16, 9), (9,), (9, CLASSES), (CLASSES,))


def weights():
    n = sum(int(np.prod(s)) for s in SHAPES)
    i = np.arange(n, dtype=np.uint64)
    w = (((i * 7919 + 13) % 2000).astype(np.float32) / np.float32(1000) - np.float32(1)) * np.float32(0.4)
    return torch.tensor(w.astype(np.float64), requires_grad=True)


def logits(w, x):
    pieces = [p.reshape(s) for p, s in zip(torch.split(w, [int(np.prod(s)) for s in SHAPES]), SHAPES)]
    h = torch.relu(x @ pieces[0] + pieces[1])
    h = torch.relu(h @ pieces[2] + pieces[3])
    return h @ pieces[4] + pieces[5]


def show(name, values):
    print(name, " ".join(f"{v:.12g}" for v in values))


def decay(factor):
    def apply(o, w):
        w.mul_(1 - o.param_groups[0]["lr"] * factor)

    return apply


def clip_norm(o, w):  # Keras' clip_by_global_norm: no 1e-6 beside the norm
    w.grad.mul_(min(1.0, 0.05 / w.grad.norm().item()))


class KerasRMSprop(torch.optim.Optimizer):
    """keras/src/optimizers/rmsprop.py, centered and with momentum."""

    def __init__(self, params, lr, rho, momentum, epsilon):
        super().__init__(params, {"lr": lr})
        self.rho, self.momentum, self.epsilon, self.v, self.a, self.m = rho, momentum, epsilon, 0, 0, 0

    @torch.no_grad()
    def step(self):
        w = self.param_groups[0]["params"][0]
        self.v = self.rho * self.v + (1 - self.rho) * w.grad**2
        self.a = self.rho * self.a + (1 - self.rho) * w.grad
        self.m = self.momentum * self.m + self.param_groups[0]["lr"] * w.grad / torch.sqrt(self.v - self.a**2 + self.epsilon)
        w -= self.m


def run(name, make, before=None, schedule=None, smoothing=0.0, weight=None):
    w = weights()
    o = make([w])
    s = schedule(o) if schedule else None
    losses, rates = [], []
    for k in range(EPOCHS * EPOCH_STEPS):
        at = k % EPOCH_STEPS * BATCH
        o.zero_grad()
        y = Y[at : at + BATCH]
        loss = torch.nn.functional.cross_entropy(logits(w, X[at : at + BATCH]), y, label_smoothing=smoothing, reduction="none")
        loss = (loss * weight[y]).mean() if weight is not None else loss.mean()
        loss.backward()
        if before:
            with torch.no_grad():
                before(o, w)
        rates.append(o.param_groups[0]["lr"])
        o.step()
        losses.append(loss.item())
        if s:
            s(k)
    show(name + ".losses", losses)
    if s:
        show(name + ".rates", rates)


def each_step(scheduler):
    return lambda k: scheduler.step()


def each_epoch(scheduler, *watched):
    """watched: what is told after every epoch, or nothing."""

    def after(k):
        if (k + 1) % EPOCH_STEPS == 0:
            scheduler.step(*(v[(k + 1) // EPOCH_STEPS - 1] for v in watched))

    return after


def warm(o, start, epochs, then):
    w = epochs * EPOCH_STEPS
    first = schedulers.LinearLR(o, start_factor=start, total_iters=w)
    return each_step(schedulers.SequentialLR(o, [first, then], milestones=[w]))


def adam(p):
    return torch.optim.Adam(p, lr=0.01, eps=1e-7)


sgd = lambda **k: lambda p: torch.optim.SGD(p, lr=0.1, **k)
rmsprop = lambda **k: lambda p: torch.optim.RMSprop(p, lr=0.002, alpha=0.9, eps=1e-20, **k)
WATCHED = [0.1, 0.3, 0.30005, 0.3, 0.2, 0.35, 0.34, 0.35, 0.3500001, 0.2]

run("adam", adam)
run("adamw", lambda p: torch.optim.AdamW(p, lr=0.01, eps=1e-7, weight_decay=0.004))
run("adamw_decay", lambda p: torch.optim.AdamW(p, lr=0.01, eps=1e-7, weight_decay=0.5))
run("adam_decay", adam, decay(0.5))
run("sgd", sgd())
run("sgd_momentum", sgd(momentum=0.9))
run("sgd_nesterov", sgd(momentum=0.9, nesterov=True))
run("sgd_decay", sgd(momentum=0.9), decay(0.1))
run("rmsprop", rmsprop())
run("rmsprop_momentum", rmsprop(momentum=0.8))
run("rmsprop_centered", rmsprop(centered=True))
run("rmsprop_decay", rmsprop(momentum=0.8, centered=True), decay(0.5))
run("rmsprop_epsilon", lambda p: KerasRMSprop(p, 0.002, 0.9, 0.8, 1e-4))
run("clipvalue", sgd(momentum=0.9), lambda o, w: torch.nn.utils.clip_grad_value_([w], 0.01))
run("global_clipnorm", sgd(momentum=0.9), clip_norm)
run("step", adam, schedule=lambda o: each_epoch(schedulers.StepLR(o, step_size=3, gamma=0.5)))
run("cosine", adam, schedule=lambda o: each_step(schedulers.CosineAnnealingLR(o, T_max=EPOCHS * EPOCH_STEPS, eta_min=0.1 * 0.01)))
run("one_cycle", adam, schedule=lambda o: each_step(schedulers.OneCycleLR(o, max_lr=0.01, total_steps=EPOCHS * EPOCH_STEPS, pct_start=0.3, div_factor=25.0,
                                                                        final_div_factor=1e4, cycle_momentum=False)))
run("one_cycle_short", adam, schedule=lambda o: each_step(schedulers.OneCycleLR(o, max_lr=0.01, total_steps=EPOCHS * EPOCH_STEPS, pct_start=0.01,
                                                                              div_factor=4.0, final_div_factor=10.0, cycle_momentum=False)))
run("warmup", adam, schedule=lambda o: each_step(schedulers.LinearLR(o, start_factor=0.01, total_iters=2 * EPOCH_STEPS)))
run("warmup_cosine", adam, schedule=lambda o: warm(o, 0.25, 3, schedulers.CosineAnnealingLR(o, T_max=7 * EPOCH_STEPS)))
run("warmup_step", adam, schedule=lambda o: warm(o, 0.25, 2, schedulers.StepLR(o, step_size=2 * EPOCH_STEPS, gamma=0.5)))
show("watched", WATCHED)
run("reduce_on_plateau", adam, schedule=lambda o: each_epoch(
    schedulers.ReduceLROnPlateau(o, mode="max", factor=0.3, patience=1, threshold=1e-4, threshold_mode="abs", min_lr=2e-3), WATCHED))
run("label_smoothing", adam, smoothing=0.1)
run("label_smoothing_weighted", adam, smoothing=0.4, weight=torch.tensor([0.5, 2, 1, 0.25, 3]))
