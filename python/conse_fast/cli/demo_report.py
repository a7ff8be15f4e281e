"""What ``conse-fast demo`` prints."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

import conse_fast
from conse_fast.cli.demo import Result
from conse_fast.cli.tables import new_table, print_section
from conse_fast.cli.terminal import seconds_text, version_text
from conse_fast.demo import SEEN, UNSEEN
from conse_fast.vocabulary import LabelEmbeddings

_N_CLASSES_SHOWN = 3
_N_LABELS_SHOWN = 5
_HITS_AT = (1, 5, 10, 20)


def print_report(screen: Console, result: Result, n_photos: int, n_threads: int | None) -> None:
    """Prints the labels, some photos, the hits of all photos and the times."""
    print_section(screen, version_text(n_threads), _about_labels(result.embeddings))
    n_all = len(result.data.photos)
    n_shown = min(n_photos, n_all)
    if n_shown:
        title = f"{n_shown} of the {n_all} photos; the classifier knows none of their true labels"
        print_section(screen, title, _photos(screen, result, n_shown))
    title = f"All {n_all} photos: is the true label among the best k?"
    print_section(screen, title, _hits(result), _about_ties(result))
    print_section(screen, "How long it took", _times(result))


def _about_labels(embeddings: LabelEmbeddings) -> str:
    (n_seen, seen_wordless, seen_without), (n_unseen, unseen_wordless, unseen_without) = (
        (len(embeddings.levels[part]), np.sum(~embeddings.has_word[part]), np.sum(~embeddings.has_vector[part]))
        for part in (SEEN, UNSEEN)
    )
    return (
        f"The classifier knows {n_seen:,} labels (seen); {n_unseen:,} others are the candidates (unseen). The vector "
        f"of a label is the mean of its words' vectors. {seen_wordless:,} seen and {unseen_wordless:,} unseen labels "
        f"have no known word: they take the mean of their parents' vectors, or of their nearest ancestors' that have "
        f"one. {seen_without:,} and {unseen_without:,} stay without a vector: they are never ranked."
    )


def _first_lemma(name: str) -> str:
    return name.split(",")[0]


def _photos(screen: Console, result: Result, count: int) -> Table:
    """Photos spread evenly over all, which lie in the order of their true labels: the middle of each stretch."""
    table = new_table()
    for title in ("true label, place", "the classifier says", "ConSE says"):
        table.add_column(title, no_wrap=True, overflow="ellipsis")
    mark = "*" if screen.options.ascii_only else "\N{CHECK MARK}"
    n_photos = len(result.data.photos)
    for photo in [(2 * i + 1) * n_photos // (2 * count) for i in range(count)]:
        table.add_row(_truth(result, photo), _classes(result, photo), _labels(result, photo, mark), end_section=True)
    return table


def _truth(result: Result, photo: int) -> Text:
    name = _first_lemma(result.label_name(result.data.truth[photo]))
    place = int(result.places.by_id[photo]) + 1
    where = f"place {place:,}" if place <= result.index.n_labels else "never ranked"
    return Text.assemble((name, "bold"), "\n", (where, "green" if place <= _N_LABELS_SHOWN else "dim"))


def _classes(result: Result, photo: int) -> Text:
    probabilities, classes = conse_fast.top_k(result.data.probabilities[photo], _N_CLASSES_SHOWN)
    lines = [f"{p:4.0%} {_first_lemma(result.class_name(c))}" for p, c in zip(probabilities.tolist(), classes.tolist())]
    return Text("\n".join(lines))


def _labels(result: Result, photo: int, mark: str) -> Text:
    scores, labels = (array[photo, :_N_LABELS_SHOWN].tolist() for array in result.ranking)
    lines = Text()
    for score, label in zip(scores, labels):
        hit = label == result.data.truth[photo]
        line = f"{score:.3f} {mark if hit else ' '} {_first_lemma(result.label_name(label))}"
        lines.append(line + "\n", style="bold green" if hit else "")
    lines.rstrip()
    return lines


def _hits(result: Result) -> Table:
    n_kept = result.ranking.indices.shape[1]
    ks = sorted({k for k in _HITS_AT if k <= n_kept} | {n_kept})
    table = new_table()
    table.add_column(f"among {result.index.n_labels:,} labels")
    for k in ks:
        table.add_column(f"hit@{k}", justify="right", no_wrap=True)
    table.add_row("equal scores by label id", *(f"{result.hits(k):.1%}" for k in ks))
    table.add_row("equal scores counted half", *(f"{result.places.hit_at_k(k, 'half'):.1%}" for k in ks))
    return table


def _about_ties(result: Result) -> str:
    vectors = result.embeddings.vectors[UNSEEN][result.embeddings.has_vector[UNSEEN]]
    _, counts = np.unique(vectors, axis=0, return_counts=True)
    shared = int(counts[counts > 1].sum())
    return (
        f"{shared:,} of the {len(vectors):,} ranked labels share their vector with others, having the same parents or "
        "the same known words, and so their scores are equal. Rankings order equal scores by label id; the second line "
        "takes half of the labels whose score equals the true label's for better (rank = better + ties/2)."
    )


def _times(result: Result) -> Table:
    table = new_table(header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for step in result.steps:
        table.add_row(step.title, seconds_text(step.seconds), step.remark)
    return table
