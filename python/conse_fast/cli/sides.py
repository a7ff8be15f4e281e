"""The classes and the labels of ``conse-fast build``: embeddings with names, or names that become embeddings."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from conse_fast import Coverage, WordVectors
from conse_fast._array_files import is_array_file, open_npy
from conse_fast._arrays import Array
from conse_fast.cli.errors import CliError
from conse_fast.cli.inputs import NameList, join_names, open_embeddings, read_names
from conse_fast.cli.vocabulary import Vocabulary

_NO_NAMES = NameList(None, None)


@dataclass(frozen=True)
class Side:
    """Classes or labels.

    Attributes:
        of: ``"class"`` or ``"label"``.
        names: Their names and ids.
        embeddings: (rows, D), or None until they are made of the names.
        row_label: The label that owns each row, or None.
        coverage: How embeddings were made of names, or None.
    """

    of: str
    names: NameList
    embeddings: Array | None
    row_label: Array | None = None
    coverage: Coverage | None = None

    def complete(self) -> Array:
        """The embeddings, which are there."""
        if self.embeddings is None:
            raise CliError(f"the {self.of} names have no embeddings; give --vectors FILE")
        return self.embeddings


def open_side(
    source: str, of: str, names: str | None, row_label: str | None, skip_header: bool, vocabulary: Vocabulary
) -> Side:
    """What the file ``source`` holds: embeddings, or names where there are word vectors.

    Raises:
        CliError: The file holds neither, or options do not go with it.
        OSError: A file is missing or cannot be read.
    """
    if vocabulary.vectors is not None and not is_array_file(source):
        for option, value in ((f"--{of}-names", names), ("--row-label", row_label)):
            if value is not None:
                raise CliError(f"{source} holds names, not embeddings; {option} goes with embeddings")
        return Side(of, read_names(source, None, of, skip_header=skip_header), None)
    try:
        embeddings = open_embeddings(source)
    except ValueError as error:
        cure = "" if is_array_file(source) else "; if it holds names, give --vectors FILE"
        raise CliError(f"{error}{cure}") from error
    owners = None if row_label is None else open_npy(row_label)
    n_names = len(embeddings) if owners is None else None
    listed = _NO_NAMES if names is None else read_names(names, n_names, of, skip_header=skip_header)
    return Side(of, listed, embeddings, owners)


def match_classes(how: str, classes: Side, labels: Side) -> Array:
    """The class id of each label, or -1: by ``"id"``, by ``"name"``, or from an ``.npy`` file.

    Raises:
        CliError: The texts to match by are missing.
        OSError: The file is missing or cannot be read.
    """
    if how not in ("id", "name"):
        return open_npy(how)
    texts = {side.of: side.names.ids if how == "id" else side.names.names for side in (classes, labels)}
    lacking = next((of for of, strings in texts.items() if strings is None), None)
    if lacking is not None:
        raise CliError(f"--label-class {how} needs {how}s of both sides; the {lacking} {how}s are not given")
    places = {text: place for place, text in reversed(list(enumerate(texts["class"] or ())))}
    return np.array([places.get(text, -1) for text in texts["label"] or ()], dtype=np.int64)


def embed_names(
    classes: Side, labels: Side, vocabulary: Vocabulary, per_synonym: bool
) -> tuple[Side, Side, WordVectors | None]:
    """Makes the embeddings that are missing, of classes and labels together, so that they can borrow from each other.

    Raises:
        CliError: There are only names, or only embeddings, where the options say otherwise.
    """
    if per_synonym and labels.embeddings is not None:
        raise CliError("--per-synonym goes with the names of labels; for embeddings there is --row-label")
    if vocabulary.vectors is None:
        return classes, labels, None
    named = [side for side in (classes, labels) if side.embeddings is None]
    if not named:
        raise CliError("--vectors goes with names; both files hold embeddings")
    both = join_names([side.names for side in named])
    vectors = vocabulary.read(both.names or [])
    ways = {per_synonym and side is labels for side in named}  # classes have one vector each
    made = {several: vocabulary.embed(both, vectors, several) for several in ways}
    first = 0
    done = {}
    for side in named:
        last = first + len(side.names.names or [])
        mine = made[per_synonym and side is labels][first:last]
        if not mine.has_vector.any():
            raise CliError(f"none of the {last - first:,} {side.of} names has a vector in {vectors.source}")
        done[side.of] = replace(side, embeddings=mine.vectors, row_label=mine.row_label, coverage=mine.coverage)
        first = last
    return done.get("class", classes), done.get("label", labels), vectors
