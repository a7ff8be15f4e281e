"""PyTorch on the CPU: topk, embedding_bag (a gather and weighted sum in one), mm."""

from __future__ import annotations

from typing import Any

import torch
from problem import Problem
from torch.nn import functional

from .common import Answer, Floats, Peer


def weighted_sum(probabilities: torch.Tensor, table: torch.Tensor, top_t: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of the kept classes' rows of ``table``, and the kept probabilities."""
    if top_t >= len(table):
        return probabilities @ table, probabilities
    weights, kept = torch.topk(probabilities, top_t)
    return functional.embedding_bag(kept, table, per_sample_weights=weights, mode="sum"), weights


def best(scores: torch.Tensor, k: int, lengths: torch.Tensor) -> Answer:
    values, labels = torch.topk(scores, k)
    return (values / lengths).numpy(), labels.numpy()


class TorchPeer(Peer):
    package = "torch"

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.classes = torch.from_numpy(problem.classes)
        self.labels = torch.from_numpy(problem.labels)

    def run(self, rows: Floats, top_t: int, k: int) -> Any:
        # The number of threads belongs to the calling thread; setting it anew costs less than 0.1 us.
        torch.set_num_threads(self.n_threads)
        with torch.inference_mode():
            return self.answer(torch.from_numpy(rows), top_t, k)

    def answer(self, rows: torch.Tensor, top_t: int, k: int) -> Any:
        raise NotImplementedError


class Select(TorchPeer):
    def answer(self, rows: torch.Tensor, top_t: int, k: int) -> Answer:
        values, columns = torch.topk(rows, top_t)
        return values.numpy(), columns.numpy()


class Combine(TorchPeer):
    def answer(self, rows: torch.Tensor, top_t: int, k: int) -> Floats:
        f, weights = weighted_sum(rows, self.classes, top_t)
        return (f / weights.sum(1, keepdim=True)).numpy()


class Dense(TorchPeer):
    def answer(self, rows: torch.Tensor, top_t: int, k: int) -> Answer:
        return best(rows @ self.labels.T, k, torch.linalg.vector_norm(rows, dim=1, keepdim=True))


class Index(TorchPeer):
    def answer(self, rows: torch.Tensor, top_t: int, k: int) -> Answer:
        f, _ = weighted_sum(rows, self.classes, top_t)
        return best(f @ self.labels.T, k, torch.linalg.vector_norm(f, dim=1, keepdim=True))


class TableIndex(TorchPeer):
    """The table trick: embedding_bag over the products of every class and label instead of the matrix product."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.table = self.classes @ self.labels.T

    def answer(self, rows: torch.Tensor, top_t: int, k: int) -> Answer:
        if top_t >= rows.shape[1]:
            f, scores = rows @ self.classes, rows @ self.table
        else:
            weights, kept = torch.topk(rows, top_t)
            f, scores = (
                functional.embedding_bag(kept, of_classes, per_sample_weights=weights, mode="sum")
                for of_classes in (self.classes, self.table)
            )
        return best(scores, k, torch.linalg.vector_norm(f, dim=1, keepdim=True))
