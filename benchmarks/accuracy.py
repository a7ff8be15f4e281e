"""Turns the real data into the page docs/accuracy.md and its plots; about two minutes on two cores.

python benchmarks/accuracy.py [--data ../shared/data] [--output docs/accuracy.md]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from figures import oracle, page, photos, plots, tags, tags_oracle

from conse_fast import metrics

ROOT = Path(__file__).parents[1]


def evaluate_photos(data: Path, folder: Path) -> list[page.OfPhotos]:
    """Every set of photos with every embedding, its figures compared with float64, its curves drawn."""
    labels = photos.read_labels(data)
    hierarchy = metrics.Hierarchy(labels.is_a, labels.wnids)
    done = []
    for embedding in labels.embeddings:
        index = labels.index(embedding)
        for name in photos.PHOTOS:
            some = photos.read_photos(data, name, labels.wnids)
            found = photos.evaluate(labels, index, some, hierarchy)
            compared = oracle.compare(labels, embedding, some, found)
            result = page.OfPhotos(embedding, name, found, compared)
            plots.seen_unseen(found, f"{name}, {embedding}", folder / result.plot)
            print(f"{name}, {embedding}: {compared.n_figures - len(compared.differing)} of {compared.n_figures} equal")
            done.append(result)
    return done


def evaluate_tags(data: Path) -> list[page.OfTags]:
    """The generated images, all labels verified and then a few of each image."""
    vectors, n_seen = tags.read_vectors(data)
    images, index = tags.generate(vectors, n_seen), tags.build(vectors, n_seen)
    done = []
    for truth, k in ((images.truth, [3, 5]), (images.verified, [10, 20])):
        found = tags.evaluate(index, images.probabilities, truth, k)
        off = tags_oracle.largest_difference(found, images.probabilities, vectors, n_seen, truth)
        done.append(page.OfTags(found, int((truth != 0).sum()), off))
    return done


def main() -> int:
    parser = argparse.ArgumentParser(description="Turns the real data into a page of figures with plots.")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="the folder of the data")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "accuracy.md", help="the page")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        sys.exit(f"{arguments.data} is not there: --data names the folder with imagenet/, word_vectors/ and nus_wide/")
    folder = arguments.output.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    of_photos, of_tags = evaluate_photos(arguments.data, folder), evaluate_tags(arguments.data)
    arguments.output.write_text(page.write(of_photos, of_tags, folder.name), encoding="utf-8")
    print(arguments.output)
    return 1 if any(result.compared.differing for result in of_photos) else 0


if __name__ == "__main__":
    raise SystemExit(main())
