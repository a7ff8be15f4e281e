"""Which labels of a vocabulary are reached, and which crowd everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conse_fast._explanation import Named

if TYPE_CHECKING:
    import numpy.typing as npt

_N_SHOWN = 5  # labels in a text


@dataclass(frozen=True, eq=False, repr=False)
class Reachability(Named):
    """How many of the seen classes, each taken alone, rank a label among their k best.

    A mixture of classes can reach a label that none of them does alone, so `unreached` labels are unlikely, not
    excluded. Labels that crowd are hubs (Radovanovic, Nanopoulos and Ivanovic 2010, Hubs in Space: Popular Nearest
    Neighbors in High-Dimensional Data, JMLR 11), with the counts as the paper's N_k.

    Attributes:
        k: Labels per class.
        n_classes: Classes that rank any: those with a vector.
        counts: (L,) int64 classes that rank the label.
        crowding: int64 ids of the labels that any class ranks, ordered by (count descending, id ascending).
        unreached: int64 ids of the candidates with a vector that no class ranks, ascending.
        without_vector: int64 ids of the candidates without a vector, which never rank, ascending.
        texts: Names, for printing.
    """

    k: int
    n_classes: int
    counts: npt.NDArray[np.int64]
    crowding: npt.NDArray[np.int64]
    unreached: npt.NDArray[np.int64]
    without_vector: npt.NDArray[np.int64]

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """(L,) of the classes, those that rank the label."""
        return self.counts / max(self.n_classes, 1)

    @property
    def skewness(self) -> float:
        """Of the counts of the candidates with a vector: 0 if all were reached alike, above 1 where few crowd.

        The measure of hubness, equation 1 of the paper; NaN where all counts are equal.
        """
        counts = np.concatenate([self.counts[self.crowding], np.zeros(len(self.unreached))])
        if counts.size == 0 or (counts == counts[0]).all():
            return float("nan")
        from_mean = counts - counts.mean()
        return float((from_mean**3).mean() / (from_mean**2).mean() ** 1.5)

    def __repr__(self) -> str:
        return (
            f"<Reachability: {len(self.crowding):,} labels reached, {len(self.unreached):,} unreached, "
            f"{len(self.without_vector):,} without a vector, by {self.n_classes:,} classes with k={self.k}>"
        )

    def __str__(self) -> str:
        most = [
            f"\n  {count:>8,}  {share:>6.1%}  {self.texts.of_label(label)}"
            for label, count, share in self.most_reached(_N_SHOWN)
        ]
        return "".join([repr(self), *most])

    def most_reached(self, count: int) -> list[tuple[int, int, float]]:
        """(label, classes that rank it, their share) of the labels that crowd most."""
        first = self.crowding[:count]
        return list(zip(first.tolist(), self.counts[first].tolist(), self.shares[first].tolist()))
