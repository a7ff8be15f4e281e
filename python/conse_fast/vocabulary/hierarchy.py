"""A hierarchy of labels, from which those without a known word borrow."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING

from conse_fast import _arrays, _paths

if TYPE_CHECKING:
    from conse_fast._paths import PathLike


def read_hierarchy(path: PathLike) -> list[tuple[str, str]]:
    """Reads ``parent child`` lines, such as WordNet's ``n02083346 n02084071``.

    The two ids stand apart by a tab, or by a space where the line has no tab; empty lines are left out.

    Args:
        path: A UTF-8 text file.

    Returns:
        (parent, child) pairs in the order of the file.

    Raises:
        ValueError: A line has not two ids, or is not UTF-8; the message names the file and the line.
        OSError: The file is missing or cannot be read.
    """
    source = os.fsdecode(_paths.encode(path))
    pairs = []
    for number, line in enumerate(Path(source).read_bytes().split(b"\n"), 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            raise ValueError(f"{source}: line {number:,} is not UTF-8 ({error.reason})") from None
        if not text:
            continue
        fields = [field.strip() for field in text.split("\t")] if "\t" in text else text.split()
        if len(fields) != 2 or not all(fields):
            raise ValueError(
                f"{source}: line {number:,} is {text[:80]!r}; expected 'parent child', or parent, tab and child"
            )
        pairs.append((fields[0], fields[1]))
    return pairs


class Ancestors:
    """The ways up from labels."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        if isinstance(pairs, (str, bytes, os.PathLike)) or not isinstance(pairs, Iterable):
            raise TypeError(
                f"hierarchy must hold (parent, child) pairs, got {pairs!r}; a file: read_hierarchy({pairs!r})"
            )
        self._parents: dict[str, set[str]] = defaultdict(set)
        for pair in pairs:
            parent, child = _arrays.pair(pair, "hierarchy")
            self._parents[child].add(parent)

    def nearest(self, label_id: str, known: Mapping[str, int]) -> tuple[list[int], int]:
        """Known labels on the nearest level above a label that holds any, and that level; nothing and -1 without any.

        Breadth first, so that an ancestor stands at the length of the shortest way up to it.
        """
        visited = {label_id}
        frontier: AbstractSet[str] = {label_id}
        level = 0
        while frontier:
            level += 1
            frontier = {parent for node in frontier for parent in self._parents.get(node, ())} - visited
            visited |= frontier  # also ends the search should the pairs hold a cycle
            # Sets of strings iterate in a new order in every process; sorting keeps the sum, hence its last bit.
            ancestors = sorted(known[node] for node in frontier if node in known)
            if ancestors:
                return ancestors, level
        return [], -1
