"""``conse-fast demo``: the whole way from label names to ranked photos, on data that the package ships."""

from __future__ import annotations

import shlex
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click
import numpy as np
import numpy.typing as npt

from conse_fast import ConseIndex, Ranking, metrics
from conse_fast.cli.errors import CliError
from conse_fast.cli.options import n_threads_option, top_t_option
from conse_fast.cli.outputs import whole_file
from conse_fast.cli.terminal import bytes_text, console, seconds_text
from conse_fast.demo import SEEN, UNSEEN, DemoData, load
from conse_fast.vocabulary import LabelEmbeddings

_T = TypeVar("_T")

_N_CALLS = 10  # the first one finds nothing in the caches
_PHOTOS_AT_ONCE = 25  # a whole ranking of a photo is 20,842 places


@dataclass(frozen=True)
class Step:
    """What was done, how long it took in seconds, and what it gave."""

    title: str
    seconds: float
    remark: str


@dataclass(frozen=True)
class Result:
    """All that the demo has to show."""

    data: DemoData
    embeddings: LabelEmbeddings
    index: ConseIndex
    ranking: Ranking
    places: metrics.Places
    steps: list[Step]

    def class_name(self, class_id: int) -> str:
        """The name of a seen label."""
        return self.data.names[SEEN.start + class_id]

    def label_name(self, label: int) -> str:
        """The name of an unseen label."""
        return self.data.names[UNSEEN.start + label]

    def hits(self, k: int) -> float:
        """hit@k as the ranking has it: the share of photos with the true label among the k best."""
        return metrics.hit_at_k(self.ranking.indices, self.data.truth, k)


@click.command(
    short_help="See it work: label 250 real photos.",
    epilog="""\b
Examples:
  conse-fast demo
  conse-fast demo --photos 20 --output kept""",
)
@click.option(
    "--k", type=click.IntRange(min=1), default=20, show_default=True, metavar="COUNT", help="Labels to rank per photo."
)
@top_t_option
@click.option(
    "--photos", type=click.IntRange(min=0), default=8, show_default=True, metavar="COUNT", help="Photos to show."
)
@n_threads_option
@click.option(
    "--output",
    metavar="DIR",
    help="Keep index.safetensors, probabilities.npy, truth.npy and ranking.npz in this folder.",
)
def demo(k: int, top_t: int | None, photos: int, n_threads: int | None, output: str | None) -> None:
    """Label 250 real photos with labels that their classifier was never trained on.

    The classifier knows 1,000 ImageNet classes; the photos show none of them. What it says about each photo comes with
    the package, and so do the names of 20,842 other labels and word vectors for their words. The demo makes label
    embeddings of the names, builds an index, ranks all labels for each photo, and shows how often the true one is
    among the first. No network, about a second.
    """
    from conse_fast.cli.demo_report import print_report

    if output is not None:
        _make_folder(output)
    result = run(k, top_t, n_threads)
    screen = console()
    print_report(screen, result, photos, n_threads)
    if output is not None:
        keep(result, Path(output))
        files = " ".join(shlex.quote(str(Path(output, name))) for name in ("index.safetensors", "probabilities.npy"))
        screen.print(
            f"Kept in {output}: index.safetensors, probabilities.npy, truth.npy and ranking.npz. Rank once more:\n"
            f"  conse-fast rank {files} | head",
            markup=False,
            soft_wrap=True,
        )


def run(k: int, top_t: int | None, n_threads: int | None) -> Result:
    """Does the demo's work, a step at a time."""
    data, load_seconds = _timed(load)
    embeddings, embed_seconds = _timed(data.embed_labels)
    index, build_seconds = _timed(lambda: _build(data, embeddings, n_threads))
    k = min(k, index.n_labels)
    calls = [_timed(lambda: index.rank(data.probabilities, k, top_t, n_threads=n_threads)) for _ in range(_N_CALLS)]
    ranking, first_seconds = calls[0]
    warm_seconds = statistics.median(seconds for _, seconds in calls[1:])
    places = find_places(index, data.probabilities, data.truth, top_t, n_threads)
    n_photos, dimension = len(data.photos), embeddings.vectors.shape[1]
    steps = [
        Step("load", load_seconds, f"{len(data.names):,} names, {len(data.words):,} word vectors, {n_photos} photos"),
        Step("label embeddings", embed_seconds, f"of {dimension} dimensions, from names and word vectors"),
        Step("build", build_seconds, f"an index of {bytes_text(index.nbytes)}"),
        Step("rank", first_seconds, f"{n_photos} photos, {seconds_text(first_seconds / n_photos)} a photo"),
        Step("rank again", warm_seconds, f"{seconds_text(warm_seconds / n_photos)} a photo (median of {_N_CALLS - 1})"),
    ]
    return Result(data, embeddings, index, ranking, places, steps)


def _timed(work: Callable[[], _T]) -> tuple[_T, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def _build(data: DemoData, embeddings: LabelEmbeddings, n_threads: int | None) -> ConseIndex:
    return ConseIndex.build(
        embeddings.vectors[SEEN],
        embeddings.vectors[UNSEEN],
        class_names=data.names[SEEN],
        label_names=data.names[UNSEEN],
        class_ids=data.wnids[SEEN],
        label_ids=data.wnids[UNSEEN],
        n_threads=n_threads,
    )


def find_places(
    index: ConseIndex,
    probabilities: npt.NDArray[np.float32],
    truth: npt.NDArray[np.int64],
    top_t: int | None,
    n_threads: int | None,
) -> metrics.Places:
    """Ranks all labels for each photo and finds the true one among them."""
    parts = []
    for first in range(0, len(truth), _PHOTOS_AT_ONCE):
        photos = slice(first, first + _PHOTOS_AT_ONCE)
        scores, labels = index.rank(probabilities[photos], index.n_labels, top_t, n_threads=n_threads)
        parts.append(metrics.find_places(scores, labels, truth[photos], index.n_labels))
    return metrics.Places.joined(parts)


def _make_folder(path: str) -> None:
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise CliError(f"{path} is a file; expected a folder to keep results in") from None


def keep(result: Result, folder: Path) -> None:
    """Writes the files from which all figures can be computed anew."""
    result.index.save(folder / "index.safetensors")
    with whole_file(str(folder / "probabilities.npy")) as file:
        np.save(file, result.data.probabilities)
    with whole_file(str(folder / "truth.npy")) as file:
        np.save(file, result.data.truth)
    with whole_file(str(folder / "ranking.npz")) as file:
        np.savez(file, scores=result.ranking.scores, indices=result.ranking.indices)
