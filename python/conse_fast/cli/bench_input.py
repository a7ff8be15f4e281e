"""What ``conse-fast bench`` ranks: the demo's labels or an index file, and images to rank them for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from conse_fast import ConseIndex, cosine_rank
from conse_fast._arrays import Array
from conse_fast.cli.errors import CliError
from conse_fast.cli.inputs import RowsFile
from conse_fast.cli.ranking import explain
from conse_fast.demo import SEEN, UNSEEN, load

N_IMAGES = 4096
_MOST_BYTES = 2**30  # fewer images of very many classes
_N_MADE_UP = 1000
_N_PEAKS = 10
_N_CENTRES = 256
_SUM_OF_OTHERS = float((np.arange(2, _N_PEAKS + 1) ** -1.7).sum())


@dataclass(frozen=True)
class Subject:
    """An index and images for it.

    Attributes:
        index: The labels.
        images: (N, classes) probabilities, N `N_IMAGES` unless there are very many classes.
        about_images: Where the images come from.
    """

    index: ConseIndex
    images: Array
    about_images: str


@contextmanager
def open_subject(index: str | None, probabilities: str | None, n_threads: int | None) -> Iterator[Subject]:
    """Opens or builds what is to be timed.

    Args:
        index: An index file; None: the demo's labels.
        probabilities: An ``.npy`` file; None: the demo's photos for the demo's labels, else made-up images.
        n_threads: For building.

    Raises:
        CliError: The file of probabilities does not fit the index; the message names it.
        OSError: A file is missing or cannot be read.
        ValueError: The index file is no whole index.
    """
    opened, photos = _build_demo(n_threads) if index is None else (ConseIndex.open(index), None)
    with opened:
        if probabilities is not None:
            images, about = _read_images(probabilities, opened)
        elif photos is not None:
            images, about = photos, f"{len(photos)} photos of the demo, over and over"
        else:
            images = made_up_images(opened, min(_N_MADE_UP, _most_images(4 * opened.n_classes)))
            about = "made up, like the demo's photos; --probabilities FILE takes yours"
        yield Subject(opened, _over_and_over(images), about)


def _build_demo(n_threads: int | None) -> tuple[ConseIndex, Array | None]:
    data = load()
    vectors = data.embed_labels().vectors
    return ConseIndex.build(vectors[SEEN], vectors[UNSEEN], n_threads=n_threads), data.probabilities


def _most_images(row_bytes: int) -> int:
    return max(1, min(N_IMAGES, _MOST_BYTES // max(row_bytes, 1)))


def _read_images(path: str, index: ConseIndex) -> tuple[Array, str]:
    file = RowsFile(path)
    if file.n_rows == 0:
        raise CliError(f"{path} holds no images; expected a row of probabilities for each")
    n_images = min(file.n_rows, _most_images(file.row_bytes))
    images = file.read(0, n_images)
    try:
        index.embed(images, top_t=1)  # checks every value at little cost
    except (TypeError, ValueError) as error:
        cure = "if these are logits, take their softmax first"
        raise CliError(explain(str(error).replace("logits belong to rank_logits", cure), path, 0)) from error
    return images, f"the first {n_images:,} of {path}" if n_images < file.n_rows else f"the {n_images:,} of {path}"


def _over_and_over(images: Array) -> Array:
    """So many images that batches of all sizes can be cut from them, in memory."""
    count = _most_images(images.shape[1] * images.itemsize)
    return np.asarray(np.take(images, np.arange(count) % len(images), axis=0))


def made_up_images(index: ConseIndex, count: int) -> npt.NDArray[np.float32]:
    """Probabilities, (count, classes), that resemble the demo's, of photos that show none of the classes.

    As there, the most probable class has from a quarter to all of the probability, and the next ones share the rest
    about like t^-1.7. Of all classes in the order of nearness to the first one, the next ones stand at u^5 of their
    number, u uniform: half of them among the nearest 3 %. Ranking these takes about 1.3 times as long as ranking the
    photos, with the demo's embeddings and with others of 300 dimensions.
    """
    n_classes = index.n_classes
    rng = np.random.default_rng(0)
    by_nearness = _by_nearness(index, rng.integers(n_classes, size=min(count, _N_CENTRES)))
    places = (n_classes * rng.random((count, _N_PEAKS)) ** 5).astype(np.int64)
    places[:, 0] = 0
    peaks = by_nearness[np.arange(count)[:, np.newaxis] % len(by_nearness), places]
    shares = np.arange(1, _N_PEAKS + 1) ** -1.7 * rng.uniform(0, 0.75, (count, 1)) / _SUM_OF_OTHERS
    shares[:, 0] = 1 - shares[:, 1:].sum(axis=1)
    images = rng.random((count, n_classes), dtype=np.float32)
    images *= 0.02 / n_classes
    # The first one last: it stays where another one has its place. A class of zeros is near to none, and -1 is the
    # last column.
    np.put_along_axis(images, peaks[:, ::-1], shares[:, ::-1].astype(np.float32), axis=1)
    images /= images.sum(axis=1, keepdims=True)
    return images


def _by_nearness(index: ConseIndex, classes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each of these classes all classes, those with the nearest embeddings first."""
    n_classes = index.n_classes
    # All rows of the identity matrix without its n_classes^2 numbers: windows of one line of zeros around a 1.
    line = np.zeros(2 * n_classes - 1, dtype=np.float32)
    line[n_classes - 1] = 1
    identity = np.lib.stride_tricks.sliding_window_view(line, n_classes)[::-1]
    embeddings = index.embed(identity, top_t=1)
    return cosine_rank(embeddings[classes], embeddings, k=n_classes).indices
