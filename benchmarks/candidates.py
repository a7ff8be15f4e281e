"""Times rankings among candidates beside those of all labels, and lists of T beside separate calls.

python benchmarks/candidates.py [IMAGES]

Each figure is microseconds an image on one thread, the median of calls that take turns. Random shares of the labels
stand for masks without any likeness; "alone" embeds the images and scores the candidates' embeddings by themselves.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Callable

import numpy as np
from problem import DATA, Problem, glosses_300, glosses_path, glove_50

import conse_fast as cf

REPEATS = 15
SHARES = (0.5, 0.1, 0.03, 0.01, 0.001)
LISTS: tuple[list[int | None], ...] = ([1, 10], [5, 10, 20], [1, 10, 100], [10, 100, 1000])


def microseconds(calls: dict[str, Callable[[], object]], n_images: int) -> dict[str, float]:
    """Of each call for an image, after one that fills the caches (and packs candidates)."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(REPEATS + 2):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if repeat >= 2:
                times[name].append(1e6 * (time.perf_counter() - start) / n_images)
    return {name: statistics.median(taken) for name, taken in times.items()}


def sets_of(index: cf.ConseIndex) -> dict[str, cf.Candidates]:
    """The label sets of the literature where the data is there, and random ones."""
    sets = {}
    labels, hops = DATA / "imagenet" / "labels_21842.tsv", (DATA / "imagenet" / f"hops_{n}.txt" for n in (2, 3))
    if labels.exists():
        wnids = [line.split("\t")[0] for line in labels.read_text(encoding="utf-8").splitlines()[1001:]]
        for path in hops:
            sets[path.stem] = index.candidates(np.isin(wnids, path.read_text(encoding="utf-8").split()))
    rng = np.random.default_rng(0)
    for share in SHARES:
        sets[f"random {share:.1%}"] = index.candidates(rng.random(index.n_labels) < share)
    return sets


def time_candidates(index: cf.ConseIndex, problem: Problem, n_images: int) -> None:
    rows = problem.rows(n_images)
    print("candidates        labels      us  to all   alone")
    for name, some in {"all": index.candidates(), **sets_of(index)}.items():
        alone = problem.labels[some.ids]
        found = microseconds(
            {
                "all": lambda: index.rank(rows, n_threads=1),
                "some": lambda some=some: index.rank(rows, candidates=some, n_threads=1),
                "alone": lambda alone=alone: cf.cosine_rank(index.embed(rows, n_threads=1), alone, 10, n_threads=1),
            },
            n_images,
        )
        ratio = found["some"] / found["all"]
        print(f"{name:<14}  {len(some):8,}  {found['some']:6.2f}  {ratio:6.2f}  {found['alone']:6.2f}")


def time_lists(index: cf.ConseIndex, problem: Problem, n_images: int) -> None:
    rows = problem.rows(n_images)
    print("list of T               us  to calls")
    for top_ts in LISTS:
        found = microseconds(
            {
                "list": lambda top_ts=top_ts: index.rank(rows, top_t=top_ts, n_threads=1),
                "calls": lambda top_ts=top_ts: [index.rank(rows, top_t=top_t, n_threads=1) for top_t in top_ts],
            },
            n_images,
        )
        print(f"{top_ts!s:<18}  {found['list']:6.2f}  {found['list'] / found['calls']:8.2f}")


def main() -> None:
    n_images = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    for problem in (glosses_300(), glove_50()) if glosses_path().exists() else (glove_50(),):
        index = cf.ConseIndex.build(problem.classes, problem.labels)
        print(f"{problem.name}: {n_images:,} images, {index!r}")
        time_candidates(index, problem, n_images)
        time_lists(index, problem, n_images)


if __name__ == "__main__":
    main()
