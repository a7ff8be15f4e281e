"""What the project says about itself, against what this run measured."""

from __future__ import annotations

from dataclasses import dataclass

from .results import OURS, Results
from .tables import number, table


@dataclass(frozen=True)
class Bound:
    """The worst of some measurements must stay at or below ``most``."""

    what: str
    most: float
    measured: list[float]

    @property
    def kept(self) -> bool:
        return max(self.measured) <= self.most


def bounds(results: Results) -> list[Bound]:
    """Those that the run can say something about."""
    hard = []
    for ours in results.where(task="hard", peer=OURS):
        direct = next(result for result in results.where(peer="every label directly") if result.group == ours.group)
        hard.append(ours.seconds / direct.seconds)
    growth, memory = [], []
    for size in results.where(task="scale"):
        first = results.where(task="scale", cosine=size.cosine, batch=size.batch)[0]
        growth.append(size.seconds / first.seconds)
        memory.append(size.peak_bytes / 1e9)
    found = [
        Bound("hard cases: time over that of scoring every label directly", 1.25, hard),
        Bound("scale: a query's time over that with 20,000 labels", 3, growth),
        Bound("scale: peak memory of a streamed build, GB", 8, memory),
    ]
    return [bound for bound in found if bound.measured]


def bounds_table(results: Results) -> str:
    rows = []
    for bound in bounds(results):
        rows.append([bound.what, number(bound.most), number(max(bound.measured)), "yes" if bound.kept else "**no**"])
    return table(["", "at most", "worst of this run", "kept"], rows)
