"""Turns the JSON of a run into the page docs/performance.md and its plots.

python benchmarks/report.py results.json [--output docs/performance.md] [--check]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from reporting import bounds, plots, tables
from reporting.results import Results

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
HEAD = """# Performance

This page is written by `python benchmarks/report.py results.json` from one run of the suite in `benchmarks/`;
its figures hold for the machine below. Times are microseconds per image: medians, over three sweeps in which the
peers take turns. Every exact peer's answer is asserted before it is timed. All have the same threads, and each peer
the fastest of several chunk sizes. A ratio is to the fastest exact peer of its row; below 1 that peer is faster.
"""
MAIN = "ConSE at T = k = 10"
TASKS = {
    "index": """The whole of ConSE. FAISS, scikit-learn and USearch get f from our own `ConseIndex.embed`.
"Table" is the product of every class and label made beforehand, as in our index, but without skipping.
At T = 1,000 every class is kept, and the peers multiply matrices without selecting.""",
    "select": "The T largest of 1,000 probabilities.",
    "combine": "f itself, from probabilities and class embeddings.",
    "dense": "The k best cosines of queries with a plain label matrix.",
}


def sections(results: Results) -> list[tuple[str, str]]:
    """Titles and bodies; those that the run has no data for are left out."""
    found = [("Machine", tables.machine(results))]
    if results.where(task="limits"):
        found.append(("Limits", tables.limits(results)))
    if results.where(task="index"):
        found.append((MAIN, tables.main_table(results)))
    found.append(("Where we lose", tables.losses(results)))
    if bounds.bounds(results):
        found.append(("Bounds that must hold", bounds.bounds_table(results)))
    for task, text in TASKS.items():
        if results.where(task=task):
            found.append((f"Group {task}", f"{text}\n\n{problems(results, task)}"))
    if any(result.facts.get("exact") is False for result in results.all):
        found.append(("Not exact", tables.approximate(results)))
    for task, make, title in (
        ("hard", tables.hard, "Hard cases: nothing to prune by"),
        ("scale", tables.scale, "Scale"),
        ("threads", tables.threads, "Threads"),
        ("once", tables.once, "An input that is read once"),
        ("half", tables.half, "Labels in half precision: `cosine_rank`"),
    ):
        if results.where(task=task):
            found.append((title, make(results)))
    return [*found, ("Not timed", tables.missing(results))]


def problems(results: Results, task: str) -> str:
    """A table for each problem of a task."""
    names = results.values("problem", task=task)
    return "\n".join(f"### {task}, {name}\n\n{tables.peers(results, task, name)}" for name in names)


def write_page(results: Results, page: Path) -> None:
    drawn = plots.draw(results, page.with_suffix(""))
    parts = [HEAD, *(f"![{text}]({page.stem}/{name})\n" for name, text in drawn.items())]
    parts += [f"## {title}\n\n{body}" for title, body in sections(results)]
    page.write_text("\n".join(parts), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Turns the JSON of a run into a page with plots.")
    parser.add_argument("results", type=Path, help="what pytest --benchmark-json wrote")
    parser.add_argument("--output", type=Path, default=PAGE, help="the page; its plots go to a folder of the same name")
    parser.add_argument("--check", action="store_true", help="exit 1 where a bound does not hold")
    arguments = parser.parse_args()
    results = Results(arguments.results)
    write_page(results, arguments.output)
    print(arguments.output, dict(sections(results)).get(MAIN, ""), bounds.bounds_table(results), sep="\n\n")
    broken = [bound for bound in bounds.bounds(results) if not bound.kept]
    return 1 if arguments.check and broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
