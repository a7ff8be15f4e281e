"""Make the data that ``conse-fast demo`` ships, from the folder of test and benchmark data.

Run from the repository's root, with the package installed (it defines what a word of a label is):

    python tools/make_demo_data.py ../shared/data python/conse_fast/demo/data

The outcome depends on the input alone, byte for byte, on every machine. So nothing is compressed here:
compressed bytes change with the version of zlib, and a wheel is compressed anyway.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conse_fast.demo import RULES


def main() -> None:
    """Write the seven files into the output folder, and print their sizes."""
    parser = argparse.ArgumentParser(description="Make the data that `conse-fast demo` ships.")
    parser.add_argument("data", type=Path, help="folder to read, such as ../shared/data")
    parser.add_argument("output", type=Path, help="folder to write to, such as python/conse_fast/demo/data")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    imagenet = args.data / "imagenet"
    shutil.copyfile(imagenet / "labels_21842.tsv", args.output / "labels.tsv")
    labels = [line.split("\t") for line in read_lines(imagenet / "labels_21842.tsv")[1:]]
    words_of = {wnid: RULES.lookups([name]) for wnid, name in labels}

    glove = args.data / "word_vectors" / "glove_50d_20k.txt"
    known = write_word_vectors(glove, set().union(*words_of.values()), args.output)
    unknown = [wnid for wnid, words in words_of.items() if not words & known]
    write_ways_up(imagenet / "is_a.txt", unknown, args.output)
    write_unseen_photos(imagenet, args.output)

    for path in sorted(args.output.iterdir()):
        print(f"{path.stat().st_size:>9,}  {path}")


def read_lines(path: Path) -> list[str]:
    """Read a text file's lines, without their ends."""
    return path.read_text(encoding="utf-8").splitlines()


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines with the same end on every system."""
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def write_word_vectors(glove: Path, wanted: set[str], output: Path) -> set[str]:
    """Write the wanted words and their vectors, and return the words that were found."""
    rows = [line.split(" ") for line in read_lines(glove)]
    codes, steps = quantise(np.array([[float(value) for value in row[1:]] for row in rows]))
    found = [index for index, row in enumerate(rows) if row[0] in wanted]
    write_lines(output / "words.txt", (rows[index][0] for index in found))
    np.save(output / "word_codes_int8.npy", codes[found])
    np.save(output / "word_steps_float64.npy", steps)
    return {rows[index][0] for index in found}


def quantise(vectors: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Recover the 8-bit codes of vectors that were dequantised and printed with four decimals.

    Dimension d holds whole multiples of one step, from -127 to 127 of them. The largest value tells the step
    roughly; every printed value then narrows it to an interval, the centre of which restores all of them.

    Args:
        vectors: (W, D) float64.

    Returns:
        (W, D) int8 codes and (D,) float64 steps such that ``round(codes * steps, 4)`` equals ``vectors``.

    Raises:
        ValueError: The vectors are not of that kind.
    """
    lengths = np.abs(vectors)
    codes = np.rint(vectors / (lengths.max(axis=0) / 127))
    multiples = np.maximum(np.abs(codes), 1)
    lowest = ((lengths - 5e-5) / multiples).max(axis=0)
    highest = ((lengths + 5e-5) / multiples).min(axis=0, where=codes != 0, initial=np.inf)
    steps = (lowest + highest) / 2
    if not np.array_equal(np.round(codes * steps, 4).astype(np.float32), vectors.astype(np.float32)):
        raise ValueError("vectors: expected 8-bit codes times a step per dimension, with 4 decimals")
    return codes.astype(np.int8), steps


def write_ways_up(is_a: Path, wnids: Iterable[str], output: Path) -> None:
    """Write the `parent child` pairs on all ways up from the given wnids, in the source's order."""
    pairs = [line.split(" ") for line in read_lines(is_a)]
    parents: dict[str, list[str]] = {}
    for parent, child in pairs:
        parents.setdefault(child, []).append(parent)

    reached = set(wnids)
    waiting = list(reached)
    while waiting:
        new = set(parents.get(waiting.pop(), ())) - reached
        reached |= new
        waiting.extend(new)
    write_lines(output / "is_a.txt", (f"{parent} {child}" for parent, child in pairs if child in reached))


def write_unseen_photos(imagenet: Path, output: Path) -> None:
    """Write the photos of unseen classes with their true wnids, and their softmax rows."""
    photos = [line.split("\t") for line in read_lines(imagenet / "photos_imagen.tsv")[1:]]
    unseen = [row for row, (_, _, seen) in enumerate(photos) if seen == "0"]
    write_lines(output / "photos.tsv", ["photo\twnid", *("\t".join(photos[row][:2]) for row in unseen)])
    np.save(output / "softmax_float32.npy", np.load(imagenet / "softmax_imagen_float32.npy")[unseen])


if __name__ == "__main__":
    main()
