"""What ``conse-fast embed`` and ``build`` print about where embeddings come from."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conse_fast import Coverage, WordVectors
from conse_fast.cli.tables import new_table, print_section
from conse_fast.vocabulary.coverage import ANCESTORS, NONE, SOME_WORDS, WHOLE, WORDS, LabelCoverage

_N_NAMES_SHOWN = 10
_TITLES = {
    WHOLE: "as one word",
    WORDS: "mean of all words",
    SOME_WORDS: "mean of some words",
    ANCESTORS: "from ancestors",
    NONE: "no vector",
}


def print_coverage(screen: Console, parts: dict[str, Coverage], vectors: WordVectors) -> None:
    """Prints a table of how labels came to their vectors for each part, and what has none."""
    for part, coverage in parts.items():
        remarks = [_without(coverage, part), _unknown(coverage)]
        print_section(screen, f"How {part} came to their vectors", _table(coverage, part), *filter(None, remarks))
    if vectors.n_skipped:
        told = "; ".join(vectors.problems)
        screen.print(f"{vectors.n_skipped:,} bad lines of {vectors.source} were left out: {told}", markup=False)


def _table(coverage: Coverage, part: str) -> Table:
    table = new_table()
    table.add_column("vector", no_wrap=True)
    table.add_column(part, justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("for example", no_wrap=True, overflow="ellipsis")
    for how, count in coverage.counts().items():
        example = next((label for label in coverage.labels if label.how == how), None)
        share = f"{count / max(len(coverage), 1):.1%}"
        table.add_row(_TITLES[how], f"{count:,}", share, Text(_example(example) if example else ""))
    return table


def _example(label: LabelCoverage) -> str:
    """A label and what it was made of: ``"polar bear: polar_bear"``."""
    if label.how == NONE:
        return label.name
    if label.how == ANCESTORS:
        return f"{label.name}: {', '.join(label.ancestors)}"
    synonym = next(synonym for synonym in label.synonyms if synonym.how == label.how)
    without = f" (not {', '.join(synonym.unknown)})" if synonym.unknown else ""
    return f"{synonym.text}: {' + '.join(synonym.found)}{without}"


def _without(coverage: Coverage, part: str) -> str:
    names = [coverage.labels[label].name for label in coverage.without_vector()]
    return f"{part.capitalize()} without a vector: {_first_of(names, '; ')}" if names else ""


def _unknown(coverage: Coverage) -> str:
    words = coverage.unknown_words()
    return f"Unknown words, the most frequent of {len(words):,}: {_first_of(list(words), ', ')}" if words else ""


def _first_of(names: list[str], separator: str) -> str:
    more = separator.strip() + " ..." if len(names) > _N_NAMES_SHOWN else ""
    return separator.join(names[:_N_NAMES_SHOWN]) + more
