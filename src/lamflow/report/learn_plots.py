"""The plots of a concurrent-learning report."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lamflow.learn.state import Iteration
from lamflow.report.palette import INK, MUTED, SERIES
from lamflow.report.plots import Panel, Row, new_axes
from lamflow.report.svg import to_markup
from lamflow.report.text import count, error, finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

BANDS = ("accurate", "candidate", "failed")
_COLOURS = dict(zip(BANDS, (SERIES[2], SERIES[0], SERIES[1]), strict=True))
_SIZE = (2.9, 2.5)
_QUANTITIES = (
    ("force_rmse_meV_per_A", "Force RMSE", "meV/Å"),
    ("energy_rmse_meV_per_atom", "Energy RMSE", "meV/atom"),
)
_SOURCES = {"held out": SERIES[0], "bought": SERIES[4]}


def errors_by_labels(history: Sequence[Iteration]) -> Row:
    """Draw the errors against the number of labelled frames, a panel per quantity."""
    labels = [sum(iteration.frames.values()) for iteration in history]
    panels = []
    for key, words, unit in _QUANTITIES:
        values = [finite(iteration.errors.get(key)) for iteration in history]
        shown = [(n, v) for n, v in zip(labels, values, strict=True) if v is not None]
        if not shown:
            continue
        figure, axes = new_axes(_SIZE)
        axes.plot(*zip(*shown, strict=True), color=SERIES[0], marker="o", markersize=4)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("labelled frames")
        axes.set_ylabel(f"{words} ({unit})")
        caption = f"{error(shown[0][1])} to {error(shown[-1][1])} {unit}"
        picture = to_markup(figure, f"errors-{key}", f"{words} by labels: {caption}.")
        panels.append(Panel(words, picture, caption))
    return Row("Errors by labelled frames", tuple(panels))


def calibration(iteration: Iteration, points: Sequence[Mapping[str, Any]]) -> Panel:
    """Draw true error against predicted deviation, the fitted line and the trust levels."""
    figure, axes = new_axes(_SIZE)
    low, high = iteration.levels
    for source, colour in _SOURCES.items():
        mine = [(p["deviation"], p["error"]) for p in points if p["source"] == source]
        if mine:
            axes.plot(*zip(*mine, strict=True), color=colour, marker="o", linestyle="none",
                      markersize=3, markeredgewidth=0, alpha=0.8)  # fmt: skip
    slope = float(iteration.calibration["slope"])
    ends = np.array([*(p["deviation"] for p in points if p["deviation"] > 0), low, high])
    ends = np.array([ends.min(), ends.max()])
    axes.plot(ends, slope * ends, color=INK, linewidth=1)
    for level, colour in ((low, _COLOURS["accurate"]), (high, _COLOURS["failed"])):
        axes.axvline(level, color=colour, linewidth=1, linestyle=(0, (4, 2)))
    _log_both(axes)
    axes.set_xlabel("largest force deviation (eV/Å)")
    axes.set_ylabel("largest force error (eV/Å)")
    caption = (
        f"error = {slope:.2f} × deviation ({iteration.calibration['method']}, "
        f"n = {count(len(points))}); levels {low:.3g} and {high:.3g} eV/Å"
    )
    name = "start" if iteration.iteration == 0 else f"iteration {iteration.iteration}"
    key = f"calibration-{iteration.iteration}"
    return Panel(name, to_markup(figure, key, f"Calibration, {name}: {caption}."), caption)


def bands(history: Sequence[Iteration]) -> Panel | None:
    """Draw the explored frames of each iteration as a bar of accurate, candidate and failed."""
    rounds = [one for one in history if sum(one.selection.get(band, 0) for band in BANDS)]
    if not rounds:
        return None
    figure, axes = new_axes((5.2, 0.7 + 0.35 * len(rounds)))
    names = [f"iteration {one.iteration}" for one in rounds]
    left = np.zeros(len(rounds))
    for band in BANDS:
        share = [
            100 * one.selection.get(band, 0) / sum(one.selection.get(b, 0) for b in BANDS)
            for one in rounds
        ]
        axes.barh(names, share, left=left, color=_COLOURS[band], height=0.6)
        left += share
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("explored frames (%)")
    last = rounds[-1].selection
    caption = ", ".join(f"{band} {count(last.get(band, 0))}" for band in BANDS)
    picture = to_markup(figure, "bands", f"Explored frames by trust; last iteration: {caption}.")
    return Panel("Explored frames by trust", picture, f"last iteration: {caption}")


def deviations(number: int, selection: Mapping[str, Any]) -> Panel | None:
    """Draw how the deviations of the explored frames are distributed."""
    histogram = selection.get("histogram") or {}
    if not histogram.get("counts"):
        return None
    figure, axes = new_axes(_SIZE)
    edges = np.array(histogram["edges"])
    axes.stairs(histogram["counts"], edges, color=SERIES[0], fill=True, alpha=0.6)
    axes.axvline(selection["low"], color=_COLOURS["accurate"], linestyle=(0, (4, 2)), linewidth=1)
    axes.axvline(selection["high"], color=_COLOURS["failed"], linestyle=(0, (4, 2)), linewidth=1)
    picked = [frame["deviation"] for frame in selection["picked"]]
    axes.plot(picked, np.zeros(len(picked)), color=MUTED, marker="|", linestyle="none",
              markersize=9, clip_on=False)  # fmt: skip
    axes.set_xscale("log")
    _plain_ticks(axes.xaxis)
    axes.set_xlabel("largest force deviation (eV/Å)")
    axes.set_ylabel("frames")
    caption = f"{count(sum(histogram['counts']))} frames, ticks: {count(len(picked))} picked"
    name = f"iteration {number}"
    picture = to_markup(figure, f"deviations-{number}", f"Deviations, {name}: {caption}.")
    return Panel(name, picture, caption)


def _log_both(axes: "Axes") -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    _plain_ticks(axes.xaxis)
    _plain_ticks(axes.yaxis)


def _plain_ticks(axis: "Axis") -> None:
    """Label a logarithmic axis with 0.1, 0.2, 0.5 and so on: words like 3 × 10⁻² overlap."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
