"""The JSON of a run, its sweeps merged."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OURS = "conse_fast"
OWN = (OURS, "conse_fast compact", "every label directly")
APPROXIMATE = ("FAISS HNSW",)  # in no ratio, so not missed in one
# What tells one measurement from another; every other fact describes it.
IDENTITY = ("task", "problem", "batch", "top_t", "k", "peer", "n_threads", "busy", "cosine", "labels", "dtype")


@dataclass
class Result:
    """One peer at one point: the median over the sweeps of their medians."""

    facts: dict[str, Any]
    group: str
    medians: list[float] = field(default_factory=list)
    sweeps: list[dict[str, Any]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        if name in self.facts:
            return self.facts[name]
        raise AttributeError(name)

    def least(self, name: str) -> float:
        """The least value of a fact that every sweep measured anew."""
        return min(facts[name] for facts in self.sweeps)

    @property
    def seconds(self) -> float:
        return statistics.median(self.medians)

    @property
    def microseconds(self) -> float:
        """Per image."""
        return 1e6 * self.seconds / self.facts["batch"]


class Results:
    def __init__(self, path: Path) -> None:
        self.json = json.loads(path.read_text(encoding="utf-8"))
        self.run = self.json["conse_fast"]
        self.all: list[Result] = []
        known: dict[tuple[Any, ...], Result] = {}
        for benchmark in self.json["benchmarks"]:
            facts = benchmark["extra_info"]
            key = tuple(facts.get(name) for name in IDENTITY)
            if key not in known:
                known[key] = Result({}, benchmark["group"])
                self.all.append(known[key])
            known[key].facts.update(facts)
            known[key].sweeps.append(facts)
            known[key].medians.append(benchmark["stats"]["median"])

    def where(self, **facts: Any) -> list[Result]:
        return [result for result in self.all if all(result.facts.get(name) == value for name, value in facts.items())]

    def one(self, **facts: Any) -> Result | None:
        return next(iter(self.where(**facts)), None)

    def values(self, name: str, **facts: Any) -> list[Any]:
        """The values that a fact takes, each once, in the order of the run."""
        return list(dict.fromkeys(result.facts[name] for result in self.where(**facts)))

    def limit(self, name: str) -> float:
        """The median over the sweeps would need each; the limits are rates, so the highest seen is the limit."""
        return max(
            benchmark["extra_info"][name] for benchmark in self.json["benchmarks"] if name in benchmark["extra_info"]
        )

    def fastest_peer(self, group: str) -> Result | None:
        """The fastest exact answer of a group that is not ours."""
        others = [result for result in self.all if result.group == group and is_peer(result)]
        return min(others, key=lambda result: result.seconds, default=None)

    def missing(self, group: str) -> list[str]:
        """The exact peers that the run could not time there."""
        names = [key.split(": ")[0] for key in self.run["missing"] if key.endswith(f": {group}")]
        return [name for name in names if name not in APPROXIMATE]


def is_peer(result: Result) -> bool:
    return result.facts.get("exact", False) and result.facts["peer"] not in OWN
