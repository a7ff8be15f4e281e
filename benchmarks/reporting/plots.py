"""The page's plots, as SVG that is the same for the same results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from .results import OURS, Result, Results

STYLE = {"svg.hashsalt": "conse_fast", "svg.fonttype": "none", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
COLOURS = colormaps["tab20"]


def save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


def latency_over_labels(results: Results, path: Path) -> bool:
    """Microseconds of a query over the number of labels."""
    if not results.where(task="scale"):
        return False
    figure = Figure(figsize=(6, 3.5))
    axes = figure.subplots()
    for cosine in results.values("cosine", task="scale"):
        for batch in results.values("batch", task="scale"):
            found = results.where(task="scale", cosine=cosine, batch=batch)
            label = f"batch {batch:,}, copies at cosine {cosine}"
            axes.plot([r.labels for r in found], [r.microseconds for r in found], "o-", label=label)
    axes.set(xscale="log", xlabel="labels", ylabel="microseconds per image", ylim=(0, None))
    mark(axes, results.values("labels", task="scale"))
    axes.legend()
    save(figure, path)
    return True


def throughput_over_batch(results: Results, path: Path) -> bool:
    """Images per second over the batch at T = k = 10, one panel for each problem."""
    centre: dict[str, Any] = {"task": "index", "top_t": 10, "k": 10}
    problems = results.values("problem", **centre)
    if not problems:
        return False
    figure = Figure(figsize=(5 * len(problems), 4))
    panels = figure.subplots(1, len(problems), sharey=True, squeeze=False)[0]
    for axes, problem in zip(panels, problems):
        for number, peer in enumerate(results.values("peer", **centre)):
            found = results.where(**centre, problem=problem, peer=peer)
            speeds = [1e6 / r.microseconds for r in found]
            axes.plot([r.batch for r in found], speeds, color=COLOURS(number), **line(found, peer))
        axes.set(xscale="log", yscale="log", xlabel="batch", title=problem)
        mark(axes, results.values("batch", **centre))
    panels[0].set_ylabel("images per second")
    panels[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path)
    return True


def mark(axes: Axes, values: list[int]) -> None:
    """Ticks where something was measured, and nowhere else."""
    axes.set_xticks(values, [f"{value:,}" for value in values])
    axes.xaxis.set_minor_locator(NullLocator())


def line(found: list[Result], peer: str) -> dict[str, Any]:
    """Ours in bold, what is not exact dotted."""
    exact = not found or found[0].exact
    own = peer.startswith(OURS)
    label = peer if exact else f"{peer} (not exact)"
    return {"label": label, "lw": 2.5 if own else 1, "ls": "-" if exact else ":", "marker": "o", "ms": 3}


def share_of_limit(results: Results, path: Path) -> bool:
    """Our largest batches at T = k = 10, as a share of what reading or multiplying alone would reach."""
    shares = dict(limit_shares(results))
    if not shares:
        return False
    figure = Figure(figsize=(6, 0.35 * len(shares) + 1))
    axes = figure.subplots()
    bars = axes.barh(list(shares), [100 * share for share in shares.values()])
    axes.bar_label(bars, fmt="%.0f %%", padding=3)
    axes.set(xlabel="% of the limit", xlim=(0, max(100, 115 * max(shares.values()))))
    axes.invert_yaxis()
    save(figure, path)
    return True


def limit_shares(results: Results) -> list[tuple[str, float]]:
    if not results.where(task="limits"):
        return []
    read, multiply = results.limit("read_once_bytes_per_second"), results.limit("multiply_adds_per_second")
    found = []
    for task, point in (("select", {"top_t": 10}), ("combine", {"top_t": 10}), ("index", {"top_t": 10, "k": 10})):
        for problem in results.values("problem", task=task):
            ours = results.where(task=task, problem=problem, peer=OURS, **point)[-1]
            name = f"{task}, {problem}, batch {ours.batch:,}: reading the input"
            found.append((name, ours.batch * 4 * ours.columns / read / ours.seconds))
    for ours in results.where(task="once"):
        found.append(
            (
                f"index, {ours.problem}, {ours.batch:,} rows used once: reading",
                ours.least("read_seconds") / ours.seconds,
            )
        )
    for problem in results.values("problem", task="dense"):
        ours = results.where(task="dense", problem=problem, peer=OURS, k=10)[-1]
        work = ours.batch * ours.label_count * ours.dimension
        found.append((f"dense, {problem}, batch {ours.batch:,}: multiply-adds", work / multiply / ours.seconds))
    return found


PLOTS = {
    "throughput_over_batch": (throughput_over_batch, "Images per second over the batch"),
    "latency_over_labels": (latency_over_labels, "Time of a query over the number of labels"),
    "share_of_limit": (share_of_limit, "Share of the machine's limit"),
}


def draw(results: Results, folder: Path) -> dict[str, str]:
    """Draws what the run has data for; alternative texts by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    with mpl.rc_context(STYLE):
        for name, (plot, text) in PLOTS.items():
            if plot(results, folder / f"{name}.svg"):
                drawn[f"{name}.svg"] = text
    return drawn
