"""The table trick in SciPy: the kept weights as a sparse matrix, times the products of every class and label."""

from __future__ import annotations

import numpy as np
from problem import Problem
from scipy import sparse

from .common import Answer, Floats, Peer
from .numpy_peer import largest


class TableIndex(Peer):
    package = "scipy"
    serial_parts = True

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.table = problem.classes @ problem.labels.T

    def run(self, rows: Floats, top_t: int, k: int) -> Answer:
        classes = self.problem.classes
        if top_t >= rows.shape[1]:
            f, scores = rows @ classes, rows @ self.table
        else:
            weights = self.kept(rows, top_t)
            f, scores = weights @ classes, weights @ self.table
        values, labels = largest(scores, k)
        return values / np.linalg.norm(f, axis=1, keepdims=True), labels

    @staticmethod
    def kept(rows: Floats, top_t: int) -> sparse.csr_matrix:
        columns = np.argpartition(rows, -top_t, axis=1)[:, -top_t:]
        ends = np.arange(0, columns.size + 1, top_t)
        return sparse.csr_matrix((np.take_along_axis(rows, columns, 1).ravel(), columns.ravel(), ends), rows.shape)
