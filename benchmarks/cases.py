"""Which measurements there are: a star around T = k = 10 instead of every product of T, k and batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import problem
from peers import CATALOGUE, OURS

BATCHES = (1, 32, 1024, 4096)
FEW = 4  # where one image that gives up is dear
SIZES = (1, 10, 100, 1000)
SWEEPS = 3
AWAY = 2  # sweeps away from T = k = 10
ALL_CLASSES, ALL_LABELS = 1000, 20842
CENTRE = (10, 10)
POINTS = [CENTRE, *[(t, 10) for t in SIZES if t != 10], *[(10, k) for k in SIZES if k != 10]]
# Away from the centre the default run times those that have been fastest somewhere in it.
STRONG = (OURS, "SciPy table", "PyTorch", "PyTorch table", "ONNX Runtime", "ONNX Runtime table")
DENSE_MILLION = (OURS, "NumPy", "PyTorch", "ONNX Runtime", "FAISS flat")


@dataclass(frozen=True)
class Case:
    """One peer at one task; 0 stands for a size that means nothing there.

    The sweeps of a group follow each other, so that its peers take turns.
    """

    task: str
    problem: str
    batch: int
    top_t: int
    k: int
    peer: str
    sweep: int

    @property
    def group(self) -> str:
        sizes = [f"{name} = {size:,}" for name, size in (("T", self.top_t), ("k", self.k)) if size]
        return ", ".join([self.task, self.problem, *sizes, f"batch {self.batch:,}"])

    def __str__(self) -> str:
        return "-".join(str(part).replace(" ", "_") for part in asdict(self).values())


Group = tuple[str, int, int, int]  # problem, batch, top_t, k


def select_groups(full: bool) -> Iterator[Group]:
    yield from ((problem.real()[0], batch, size, 0) for size in SIZES for batch in BATCHES)


def combine_groups(full: bool) -> Iterator[Group]:
    for name in problem.real():
        yield from ((name, batch, size, 0) for size in SIZES for batch in (BATCHES if full else (1, 1024)))


def dense_groups(full: bool) -> Iterator[Group]:
    names = [*problem.real(), "gaussian-768"]
    for name in names:
        yield from ((name, batch, 0, 10) for batch in (BATCHES if full else BATCHES[:-1]))
        yield from ((name, batch, 0, k) for k in (1, 100, 1000) for batch in ((1, 32, 1024) if full else (32,)))
    if full:
        yield from ((f"{name}-1M", batch, 0, 10) for name in names for batch in (1, 32, 1024))


def index_groups(full: bool) -> Iterator[Group]:
    for name in problem.real():
        for point in POINTS:
            few = (FEW,) if point == CENTRE else ()
            batches = BATCHES if full or point == CENTRE else (1, 1024)
            yield from ((name, batch, *point) for batch in sorted((*few, *batches)))


def hard_groups(full: bool) -> Iterator[Group]:
    for name in ("gaussian-300", "gaussian-50"):
        for top_t in (10, ALL_CLASSES):
            yield from ((name, batch, top_t, k) for k in (10, 1000, ALL_LABELS) for batch in (1, 32))
            yield from ((name, 1024, top_t, k) for k in (10, 1000) if full)
    for name in problem.real():
        yield from ((name, batch, 10, k) for k in (1000, ALL_LABELS) for batch in (1, 32))


GROUPS = {
    "select": select_groups,
    "combine": combine_groups,
    "dense": dense_groups,
    "index": index_groups,
    "hard": hard_groups,
}


def peers_of(task: str, group: Group, full: bool) -> list[str]:
    name, _, *point = group
    if name.endswith("-1M"):
        return list(DENSE_MILLION)
    if task == "index" and not full and tuple(point) != CENTRE:
        return list(STRONG)
    return list(CATALOGUE[task])


def sweeps_of(task: str, group: Group) -> int:
    name, _, top_t, k = group
    if name.endswith("-1M"):
        return 1
    has_bound = task == "hard"  # which the median of two would leave to one disturbed sweep
    return SWEEPS if has_bound or (top_t in (0, 10) and k in (0, 10)) else AWAY


def of(task: str, full: bool) -> list[Case]:
    """All cases of a task in the order in which they run."""
    return [
        Case(task, *group, peer, sweep)
        for group in GROUPS[task](full)
        for sweep in range(sweeps_of(task, group))
        for peer in peers_of(task, group, full)
    ]
