"""PyTorch's side of bench/networks: a process that trains one model and is asked for seconds per epoch.

    torch_peer.py SPEC_JSON FOLDER THREADS [eager|compile|ddp]

It makes its model, warms up, prints "ready", then reads a number of epochs a line and answers with the seconds that one took (their mean).
The data lie in memory as tensors, batches are drawn by index_select from a fresh permutation, nothing is computed beside the training step."""
import json
import os
import sys
import time

import numpy
import torch
from torch import nn


class Network(nn.Module):
    """The layers of flowsweep's cnn_lstm or dnn, in its order."""

    def __init__(self, spec):
        super().__init__()
        self.spec, width = spec, 1
        if "hidden" in spec:
            self.front, width = nn.Identity(), spec["steps"]
            hidden = spec["hidden"]
        else:
            self.embedding = nn.Embedding(2 * spec["clip"] + 1, spec["embedding"]) if spec["embedding"] else None
            width = spec["embedding"] or 1
            self.front, width = nn.Sequential(*self.convolutions(width)), spec["filters"][-1]
            cell = nn.LSTM if spec["cell"] == "lstm" else nn.GRU
            self.cell, width = cell(width, spec["units"]), spec["units"]
            hidden = [spec["dense"]]
        self.dropout = nn.Dropout(spec["dropout"]) if spec["dropout"] else nn.Identity()
        back = []
        for units in hidden:
            back += [nn.Linear(width, units), nn.ReLU()]
            if "hidden" in spec and spec["dropout"]:
                back.append(nn.Dropout(spec["dropout"]))
            width = units
        self.back = nn.Sequential(*back, nn.Linear(width, spec["classes"]))

    def convolutions(self, width):
        for filters in self.spec["filters"]:
            yield nn.Conv1d(width, filters, 3)
            yield nn.ReLU()
            if self.spec["batch_norm"]:
                yield nn.BatchNorm1d(filters)
            if self.spec["pool"] > 1:
                yield nn.MaxPool1d(self.spec["pool"])
            width = filters

    def forward(self, x):
        if "hidden" in self.spec:
            return self.back(x)
        x = self.embedding(x).transpose(1, 2) if self.embedding is not None else x.unsqueeze(1)
        x = self.dropout(self.front(x)).permute(2, 0, 1)
        return self.back(self.dropout(self.cell(x)[0][-1]))


class Trainer:
    def __init__(self, spec, folder, how, rank=0, ranks=1):
        torch.manual_seed(1)
        x, y = numpy.load(folder + "/x.npy"), numpy.load(folder + "/y.npy")
        tokens = spec.get("embedding", 0) > 0
        self.x = torch.from_numpy(x.astype("int64") + spec["clip"] if tokens else x.astype("float32") / spec["clip"])
        self.y = torch.from_numpy(y.astype("int64"))
        self.batch, self.rank, self.ranks = spec["batch"], rank, ranks
        self.model = Network(spec)
        # eps as in flowsweep; fused is one loop over all weights
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, eps=1e-7, fused=True)
        self.loss = nn.CrossEntropyLoss()
        if how == "compile":
            self.model = torch.compile(self.model, dynamic=False)
        if how == "ddp":
            self.model = nn.parallel.DistributedDataParallel(self.model, gradient_as_bucket_view=True, static_graph=True)
        self.generator = torch.Generator().manual_seed(1)

    def epoch(self):
        order = torch.randperm(len(self.x), generator=self.generator)
        for at in range(0, len(order), self.batch):
            rows = order[at:at + self.batch].tensor_split(self.ranks)[self.rank]
            self.optimizer.zero_grad(set_to_none=True)
            self.loss(self.model(self.x.index_select(0, rows)), self.y.index_select(0, rows)).backward()
            self.optimizer.step()

    def seconds(self, epochs):
        start = time.perf_counter()
        for _ in range(epochs):
            self.epoch()
        return (time.perf_counter() - start) / epochs


def serve(trainer, ask=None):
    """Rank 0: epochs from stdin; ask tells the other ranks."""
    def seconds(epochs):
        if ask:
            ask(epochs)
        return trainer.seconds(epochs)

    seconds(2)
    print("ready", flush=True)
    for line in sys.stdin:
        print(seconds(int(line)), flush=True)
    if ask:
        ask(0)


def ddp(rank, spec, folder, meeting):
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[rank]})
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    trainer, told = Trainer(spec, folder, "ddp", rank, 2), torch.zeros(1, dtype=torch.int64)

    def ask(epochs):
        told[0] = epochs
        torch.distributed.broadcast(told, 0)

    if rank == 0:
        serve(trainer, ask)
        return
    while True:
        ask(0)
        if told[0] == 0:
            return
        trainer.seconds(int(told[0]))


def main():
    spec, folder, threads, how = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    if how == "ddp":
        meeting = f"{folder}/ddp-{os.getpid()}"
        other = torch.multiprocessing.get_context("spawn").Process(target=ddp, args=(1, spec, folder, meeting))
        other.start()
        ddp(0, spec, folder, meeting)
        other.join()
        return
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    serve(Trainer(spec, folder, how))


if __name__ == "__main__":
    main()
