"""How an evaluation ranks and counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

import numpy as np

from conse_fast import _arrays
from conse_fast._arrays import Array, Pair
from conse_fast._candidates import Candidates
from conse_fast._index import ConseIndex
from conse_fast.metrics._checks import cutoffs, one_of
from conse_fast.metrics.flat import TIES, Ties
from conse_fast.metrics.generalised import AVERAGES, Average
from conse_fast.metrics.intervals import Interval, confidence_level, whole_seed

FORMS = ("cosine", "dot")

Progress = Optional[Callable[[float], None]]


@dataclass(frozen=True)
class Settings:
    """What the caller chose; `evaluate` says what each means.

    Attributes:
        k: the cut-offs, each once, ascending.
        top_t: numbers of kept classes, in the caller's order; None: all classes.
        n_resamples: of the bootstrap; 0: no intervals.
    """

    k: tuple[int, ...]
    top_t: tuple[int | None, ...]
    ties: Ties
    average: Average
    form: str
    temperature: float | None
    confidence: float
    n_resamples: int
    seed: int
    n_threads: int | None

    @classmethod
    def checked(
        cls,
        k: Any,
        top_t: Any,
        ties: Any,
        average: Any,
        form: Any,
        confidence: Any,
        n_resamples: int,
        seed: Any,
        **rest: Any,
    ) -> Settings:
        """The settings, once they make sense: before the first image is ranked.

        Raises:
            TypeError: A value of another type.
            ValueError: A value out of range.
        """
        is_list = isinstance(top_t, Sequence) or (isinstance(top_t, np.ndarray) and top_t.ndim > 0)
        several = list(top_t) if is_list else [top_t]
        if not several:
            raise ValueError("top_t must name at least one number of classes, got an empty sequence")
        kept = dict.fromkeys(None if each is None else _arrays.count(each, "top_t") for each in several)
        return cls(
            k=tuple(np.unique(cutoffs(k)).tolist()),
            top_t=tuple(kept),
            ties=one_of(ties, "ties", TIES),
            average=one_of(average, "average", AVERAGES),
            form=one_of(form, "form", FORMS),
            confidence=confidence_level(confidence),
            seed=whole_seed(seed),
            n_resamples=_arrays.count(n_resamples, "n_resamples", least=0),
            **rest,
        )

    @property
    def depth(self) -> int:
        """Labels to rank, so that equal scores are known as far as they decide."""
        return {"label_id": self.k[-1], "half": 2 * self.k[-1] + 1, "pessimistic": self.k[-1] + 1}[self.ties]

    def interval(self, counter: Any, n_resamples: int | None = None) -> Interval | None:
        """The interval of what a counter found, if intervals are wanted."""
        if not self.n_resamples:
            return None
        found: Interval = counter.interval(self.confidence, n_resamples or self.n_resamples, self.seed)
        return found

    def rank(self, index: ConseIndex, rows: Array, k: int, candidates: Candidates) -> Pair:
        """Scores and label ids for each T: (len(top_t), N, k) each."""
        options: Any = {"candidates": candidates, "form": self.form, "n_threads": self.n_threads}
        if self.temperature is None:
            return index.rank(rows, k, self.top_t, **options)
        return index.rank_logits(rows, k, self.top_t, temperature=self.temperature, **options)

    def as_dict(self) -> dict[str, Any]:
        """All but the threads, which change no figure, as plain values for JSON."""
        values = asdict(self)
        del values["n_threads"]
        return {**values, "k": list(self.k), "top_t": list(self.top_t)}


def ends(interval: Interval | None, *path: Any) -> tuple[float | None, float | None]:
    """Both ends of one number of an interval: of an array by its place, of a tuple by name, then place."""
    if interval is None:
        return None, None
    both = []
    for end in interval:
        for step in path:
            end = getattr(end, step) if isinstance(step, str) else end[step]
        both.append(float(end))
    return both[0], both[1]
