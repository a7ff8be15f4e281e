"""The page docs/accuracy.md."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from reporting.tables import table

from conse_fast import evaluation

from . import texts
from .oracle import Comparison
from .photos import KS, TOP_T
from .tags import BOTH, UNSEEN
from .tags import TOP_T as TAGS_TOP_T


@dataclass(frozen=True)
class OfPhotos:
    """What was found for some photos with one embedding."""

    embedding: str
    photos: str
    found: evaluation.Evaluation
    compared: Comparison

    @property
    def plot(self) -> str:
        return "_".join(re.findall(r"\w+", f"seen_unseen {self.title}".lower())) + ".svg"

    @property
    def title(self) -> str:
        return f"{self.photos}, {self.embedding}"


@dataclass(frozen=True)
class OfTags:
    """What was found for the generated images, of how many verified pairs, and how far from float64 at most."""

    found: evaluation.Evaluation
    n_verified: int
    off: float


def share(figure: evaluation.Figure, digits: int = 1) -> str:
    """``25.2 (20.0-30.8)``, in %."""
    value = f"{100 * figure.value:.{digits}f}"
    if figure.low is None or figure.high is None:
        return value
    return f"{value} ({100 * figure.low:.{digits}f}-{100 * figure.high:.{digits}f})"


def at_k(result: OfPhotos, metric: str) -> str:
    """A line for each label set and T, a column for each k."""
    rows = []
    for facts in result.found.label_sets:
        for top_t in TOP_T:
            line = [result.found.figure(facts.name, metric, top_t, k) for k in KS]
            rows.append([f"{facts.name}, T = {top_t:,}", f"{facts.n_labels:,}", *map(share, line)])
    return table(["", "labels", *(f"@{k}" for k in KS)], rows)


def sets(results: Iterable[OfPhotos]) -> str:
    """How many photos count in each set."""
    counts = {result.photos: {s.name: s for s in result.found.label_sets} for result in results}
    names = list(next(iter(counts.values())))
    rows = []
    for name in names:
        facts = [of_photos[name] for of_photos in counts.values()]
        rows.append([name, f"{facts[0].n_labels:,}", *(f"{one.n_images:,}" for one in facts)])
    return table(["label set", "labels", *(f"{photos} photos" for photos in counts)], rows)


def beside_the_paper(results: list[OfPhotos]) -> str:
    rows = []
    for name, figures in texts.PAPER.items():
        rows.append([f"{name}: ConSE(10) of the paper", *(f"{figure:.1f}" for figure in figures)])
        for result in results:
            line = [result.found.figure(name, "hit", 10, k) for k in KS]
            rows.append([f"{name}: {result.title}", *map(share, line)])
    return table(["T = 10", *(f"hit@{k}" for k in KS)], rows)


def curves(result: OfPhotos) -> str:
    rows = []
    for curve in result.found.curves:
        key = curve.label_set, curve.top_t

        def of(metric: str, key: tuple[str, int | None] = key) -> evaluation.Figure:
            return result.found.figure(key[0], metric, key[1])

        rows.append(
            [
                f"{curve.label_set}, T = {curve.top_t:,}",
                f"{curve.n_seen_images:,} / {curve.n_unseen_images:,}",
                share(of("ausuc"), 2),
                share(of("best_harmonic_mean")),
                f"{of('best_gamma').value:.3f}",
                f"{share(of('best_seen_accuracy'))} / {share(of('best_unseen_accuracy'))}",
                f"{share(of('seen_accuracy'))} / {share(of('unseen_accuracy'))}",
            ]
        )
    header = ["", "images seen / unseen", "AUSUC, %", "best H, %", "at gamma", "seen / unseen", "at gamma 0"]
    return table(header, rows)


def of_tags(result: OfTags, protocols: dict[str, str]) -> str:
    """A line for each label set, T and protocol."""
    rows = []
    ks = result.found.settings["k"]
    for name in (UNSEEN, BOTH):
        for top_t in TAGS_TOP_T:
            for protocol, title in protocols.items():
                found = [
                    result.found.figure(name, f"{protocol}_{metric}", top_t, k)
                    for k in ks
                    for metric in ("precision", "recall", "f1")
                ]
                found.append(result.found.figure(name, f"{protocol}_map", top_t))
                rows.append([f"{name}, T = {top_t}{title}", f"{found[-1].n_images:,}", *map(share, found)])
    header = ["", "images", *(f"{metric}@{k}" for k in ks for metric in ("P", "R", "F1")), "mAP"]
    return table(header, rows)


def compared(results: list[OfPhotos]) -> str:
    rows = []
    for result in results:
        found = result.compared
        rows.append(
            [
                result.title,
                f"{found.n_figures - len(found.differing)} of {found.n_figures}",
                f"{found.n_near:,} of {found.n_images:,}",
                f"{found.area:.0e}",
                f"{found.at_zero:.0e}",
            ]
        )
    header = ["", "equal counts of hit@k and hp@k", "near-ties", "AUSUC off by", "accuracies at gamma 0 off by"]
    return table(header, rows)


def write(photos: list[OfPhotos], tags: list[OfTags], folder: str) -> str:
    """The whole page; ``folder`` is where its plots are."""
    parts = [texts.HEAD, "## The photos", texts.PHOTOS, sets(photos)]
    parts += ["## Hits", texts.HITS]
    parts += [f"### hit@k: {result.title}\n\n{at_k(result, 'hit')}" for result in photos]
    parts += ["## Beside the paper", texts.BESIDE, beside_the_paper(photos)]
    parts += ["## Near misses: hierarchical precision", texts.NEAR]
    parts += [f"### hp@k: {result.title}\n\n{at_k(result, 'hierarchical_precision')}" for result in photos]
    parts += ["## Seen and unseen together", texts.CURVES]
    for result in photos:
        parts.append(f"### {result.title}\n\n![Seen-unseen curves: {result.title}]({folder}/{result.plot})\n")
        parts.append(curves(result))
    off = f"{max(result.off for result in tags):.0e}"
    parts += ["## Several labels: the protocol of NUS-WIDE", texts.TAGS.format(off=off), of_tags(tags[0], {"lesa": ""})]
    parts += ["## Several labels: the protocol of Open Images V4", texts.OPEN_IMAGES.format(n=tags[1].n_verified)]
    parts += [of_tags(tags[1], {"biam": "", "lesa": ", LESA's"})]
    parts += ["## The same in float64", texts.FLOAT64, compared(photos)]
    parts += ["## What the literature leaves open", texts.CHOICES]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"
