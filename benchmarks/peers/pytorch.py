"""PyTorch, eager: nn.Sequential, fused optimisers, data in tensors, one index_select a batch."""

from __future__ import annotations

import os

from harness.timing import Clock
from harness.workers import bind_to_one_core

bind_to_one_core()

import torch  # noqa: E402

from peers.contestant import serve_contestant  # noqa: E402
from peers.work import Material, Work, batches  # noqa: E402


class Eager:
    """The loop that a user writes, without the parts that cost time and are not needed."""

    def __init__(self, work: Work, material: Material, optimiser: str) -> None:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        self.work, self.optimiser = work, optimiser
        self.x = torch.from_numpy(material.x)
        self.y = torch.from_numpy(material.y)
        if work.binary:
            self.y = self.y.reshape(-1, 1).to(torch.float32)
        self.initial = [
            torch.from_numpy(array)
            for matrix, offset in material.weights
            for array in (matrix.T, offset)
        ]
        self.orders = [torch.from_numpy(order) for order in material.order]
        layers: list[torch.nn.Module] = []
        for before, after in zip(work.widths[:-1], work.widths[1:], strict=True):
            layers.append(torch.nn.Linear(before, after))
            layers.append(torch.nn.Tanh() if work.activation == "tanh" else torch.nn.ReLU())
        self.net = torch.nn.Sequential(*layers[:-1])
        self.loss = torch.nn.BCEWithLogitsLoss() if work.binary else torch.nn.CrossEntropyLoss()

    def run(self, epochs: int, clock: Clock) -> list[float]:
        """Train from the initial weights."""
        with torch.no_grad():
            for parameter, value in zip(self.net.parameters(), self.initial, strict=True):
                parameter.copy_(value)
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[self.optimiser]
        rate = self.work.rates[self.optimiser]
        optimiser = kind(self.net.parameters(), lr=rate, fused=True)
        with clock:
            return [self._epoch(self.orders[epoch], optimiser) for epoch in range(epochs)]

    def _epoch(self, order: torch.Tensor, optimiser: torch.optim.Optimizer) -> float:
        total = torch.zeros(())
        for rows in batches(order, self.work.batch):
            x = torch.index_select(self.x, 0, rows)
            y = torch.index_select(self.y, 0, rows)
            optimiser.zero_grad(set_to_none=True)
            loss = self.loss(self.net(x), y)
            loss.backward()
            optimiser.step()
            total += loss.detach() * len(rows)
        return float(total) / len(order)


if __name__ == "__main__":
    serve_contestant(Eager)
