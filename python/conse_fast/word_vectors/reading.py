"""`read_word_vectors`: any of the formats, by one call."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Callable

from conse_fast import _paths
from conse_fast._array_files import split_source
from conse_fast.word_vectors.arrays import read_npy, read_safetensors
from conse_fast.word_vectors.binary import read_binary
from conse_fast.word_vectors.collector import Collector
from conse_fast.word_vectors.formats import FORMATS, find_format
from conse_fast.word_vectors.stream import Stream
from conse_fast.word_vectors.text import find_layout, read_text

if TYPE_CHECKING:
    from conse_fast._paths import PathLike
    from conse_fast.word_vectors.collection import WordVectors

_SAMPLE_BYTES = 2**20


def read_word_vectors(
    path: PathLike,
    words: Iterable[str] | None = None,
    *,
    format: str | None = None,  # noqa: A002 - the word for it
    word_list: PathLike | None = None,
    on_bad_line: str = "raise",
    progress: Callable[[float], object] | None = None,
) -> WordVectors:
    """Reads word vectors from a file, in one pass and without holding more than the words that are asked for.

    The format is told by the file's first bytes, a header line by what it holds:

    - GloVe's text (``word 0.1 0.2 ...``), word2vec's text and fastText's ``.vec`` (the same after a line of two
      counts), and word2vec's binary format, each of them also gzipped;
    - ``.npy`` or ``.safetensors`` (as ``FILE.safetensors:TENSOR`` if it holds several) with a word list.

    As in the formats' own tools a word ends at the first space (of a line with more fields than numbers: before the
    last D fields), the first of repeated words counts, and a word may be invalid UTF-8: it then equals no wanted word
    and, when all words are kept, is decoded with replacement characters. Numbers are parsed on the lines of wanted
    words only; the fields of every line are counted.

    Args:
        path: The file.
        words: Words to keep, spelled exactly as in the file; None: all.
        format: One of ``conse_fast.word_vectors.FORMATS``; None: find out.
        word_list: For arrays: a text file of one word a line. None: the array's own name ending in ``.txt``, or the
            tensors ``words`` and ``words.offsets``.
        on_bad_line: ``"raise"``, or ``"skip"`` to leave bad lines out and count them in the result.
        progress: Called with the share that is read, 0 to 1. An exception in it stops the reading.

    Returns:
        The words that the file has, in its order, with (W, D) float32 vectors.

    Raises:
        TypeError: A wrong type.
        ValueError: The file is not whole, or a line is bad; the message names the file, and the line or byte.
        ImportError: A safetensors file, and no safetensors package.
        OSError: The file is missing or cannot be read.
    """
    if format is not None and format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    source, tensor = split_source(os.fsdecode(_paths.encode(path)))
    listed = None if word_list is None else os.fsdecode(_paths.encode(word_list))
    collector = Collector(source, words, on_bad_line)
    sample = _sample_of(source)
    found = format or find_format(source, sample)
    if found == "npy":
        return read_npy(source, listed, collector, progress)
    if found == "safetensors":
        return read_safetensors(source, tensor, listed, collector, progress)
    if listed is not None:
        raise ValueError(f"word_list goes with arrays; {source} is {found} and holds its words")
    with Stream(source, progress) as stream:
        if found == "word2vec-binary":
            return read_binary(stream, collector)
        has_header = None if format is None else found != "glove"
        return read_text(stream, find_layout(source, _whole_lines(sample), has_header), collector)


def _sample_of(path: str) -> bytes:
    with Stream(path) as stream:
        return stream.read(_SAMPLE_BYTES)


def _whole_lines(sample: bytes) -> list[bytes]:
    """Lines with their ends; one that the sample cuts off is left out, unless it is all that there is."""
    lines = io.BytesIO(sample).readlines()
    cut_off = len(sample) == _SAMPLE_BYTES and len(lines) > 1
    return lines[:-1] if cut_off else lines
