"""How much of a file that may be larger than the memory is at hand at once."""

from __future__ import annotations

# More would not be faster.
_CHUNK_BYTES = 16 * 2**20
_CHUNK_RESULTS = 2**17


def chunk_rows(row_bytes: int, k: int) -> int:
    """Rows to read, rank and use at once, so that memory does not depend on their number."""
    return max(1, min(_CHUNK_BYTES // max(row_bytes, 1), _CHUNK_RESULTS // k))
