"""The seen-unseen curves as SVG that is the same for the same figures."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from reporting.plots import STYLE, save

from conse_fast import evaluation

N_POINTS = 400  # of a curve: every image would be a step


def thinned(curve: evaluation.Curve) -> np.ndarray:
    """(P, 2) accuracies (unseen, seen) in %, evenly along the curve."""
    points = 100 * np.stack([curve.points.unseen, curve.points.seen], axis=1)
    along = np.cumsum(np.abs(np.diff(points, axis=0, prepend=points[:1])).sum(axis=1))
    return points[np.unique(np.searchsorted(along, np.linspace(0, along[-1], N_POINTS)))]


def seen_unseen(found: evaluation.Evaluation, title: str, path: Path) -> None:
    """A panel for each label set, a curve for each T, a dot where the harmonic mean is largest."""
    names = list(dict.fromkeys(curve.label_set for curve in found.curves))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4 * len(names), 3.2))
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for axes, name in zip(panels, names):
            for curve in (each for each in found.curves if each.label_set == name):
                area, best = curve.points.area, curve.points.best
                (line,) = axes.plot(*thinned(curve).T, label=f"T = {curve.top_t:,}, AUSUC {area:.3f}")
                axes.plot(100 * best.unseen, 100 * best.seen, "o", color=line.get_color(), ms=4)
            axes.set(title=name, xlabel="unseen, %", xlim=(0, None), ylim=(0, 100))
            axes.legend(fontsize=8)
        panels[0].set_ylabel("seen, %")
        figure.suptitle(title, y=1.02)
        save(figure, path)
