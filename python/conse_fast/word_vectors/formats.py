"""Which format a file has, told by its first bytes."""

from __future__ import annotations

from conse_fast.word_vectors.text import is_number, parse_header

FORMATS = ("glove", "word2vec-text", "fasttext", "word2vec-binary", "npy", "safetensors")

# What cannot be read as it is, and what to do about it.
_OTHERS = {
    b"PK\x03\x04": "is a zip archive; unpack it first",
    b"BZh": "is packed with bzip2; unpack it first",
    b"\xfd7zXZ": "is packed with xz; unpack it first",
    b"\x28\xb5\x2f\xfd": "is packed with zstd; unpack it first",
    b"\xba\x16\x4f\x2f": "is a fastText model; use its vectors, the .vec file, or load it with gensim",
    **{
        bytes([0x80, protocol]): "is a Python pickle, which is never opened; load it with gensim and give the object"
        for protocol in range(2, 6)
    },
}
_NPY = b"\x93NUMPY"
_BLANK = b" \r\n"


def find_format(path: str, sample: bytes) -> str:
    """One of `FORMATS`; ``"word2vec-text"`` for fastText's files too, which are the same.

    Args:
        path: The file, for messages.
        sample: Its first bytes, unpacked.

    Raises:
        ValueError: It is none of them.
    """
    for magic, what in _OTHERS.items():
        if sample.startswith(magic):
            raise ValueError(f"{path} {what}")
    if sample.startswith(_NPY):
        return "npy"
    if sample[8:9] == b"{" and int.from_bytes(sample[:8], "little") < 2**32:
        return "safetensors"
    first, _, rest = sample.partition(b"\n")
    header = parse_header(first)
    if header is not None and not _is_text(rest):
        return "word2vec-binary"
    if b"\0" in sample:
        raise ValueError(f"{path} is no file of word vectors: it holds bytes that are no text, and no header")
    return "glove" if header is None else "word2vec-text"


def _is_text(rest: bytes) -> bool:
    """Whether what follows a header is text: most of what follows the first word of its first line are numbers."""
    fields = rest.lstrip(_BLANK).partition(b"\n")[0].rstrip(_BLANK).split(b" ")[1:]
    return 2 * sum(map(is_number, fields)) >= len(fields)
