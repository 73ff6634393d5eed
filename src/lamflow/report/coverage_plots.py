"""The plots of a coverage report."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lamflow.evaluate.embedding import principal_plane
from lamflow.report.palette import INK, MUTED, SERIES
from lamflow.report.plots import Array, Panel, new_axes
from lamflow.report.svg import to_markup
from lamflow.report.text import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = dict(
    zip(("covered", "borderline", "new"), (SERIES[2], SERIES[4], SERIES[1]), strict=True)
)
_MARKS = dict(zip(COLOURS, ("o", "s", "^"), strict=True))
_MAP_INCHES, _BAR_INCHES = (4.6, 3.6), 0.3
_SMALL_DPI = 150


def region_map(name: str, arrays: Mapping[str, Array]) -> Panel | None:
    """Draw training set and new frames on the plane of most variance in descriptor space.

    Parameters
    ----------
    arrays
        `training`, `new` and `picked`: (n, width) points; `bands` (nnew,), see
        `lamflow.select.verdict`.
    """
    training, new = arrays["training"].astype(np.float64), arrays["new"].astype(np.float64)
    if not len(new) or len(training) + len(new) < 3:
        return None
    plane, explained = principal_plane(np.concatenate([training, new]))
    old, fresh = plane[: len(training)], plane[len(training) :]
    figure, axes = new_axes(_MAP_INCHES)
    _dots(axes, old, MUTED, ".", 2.5, 0.5)
    for band, verdict in enumerate(COLOURS):
        _dots(axes, fresh[arrays["bands"] == band], COLOURS[verdict], _MARKS[verdict], 3.2, 0.75)
    chosen = _rows_of(new, arrays["picked"].astype(np.float64))
    axes.plot(*fresh[chosen].T, linestyle="none", marker="o", markersize=7, color=INK,
              markerfacecolor="none", markeredgewidth=0.8)  # fmt: skip
    axes.set_xlabel(f"first principal component ({explained[0]:.0%} of the variance)")
    axes.set_ylabel(f"second ({explained[1]:.0%})")
    shares = ", ".join(
        f"{verdict} {count((arrays['bands'] == band).sum())}"
        for band, verdict in enumerate(COLOURS)
    )
    caption = f"training set {count(len(old))} (grey), {shares}; rings: picked"
    text = f"Map of {name} in descriptor space: {caption}."
    return Panel(name, to_markup(figure, f"map-{name}", text, _SMALL_DPI), caption)


def _dots(axes: "Axes", points: Array, colour: str, mark: str, size: float, alpha: float) -> None:
    axes.plot(*points.T, linestyle="none", marker=mark, markersize=size, color=colour,
              markeredgewidth=0, alpha=alpha, rasterized=len(points) > 400)  # fmt: skip


def _rows_of(points: Array, some: Array) -> list[int]:
    """Rows of `points` that are also in `some`."""
    wanted = {row.tobytes() for row in some}
    return [index for index, row in enumerate(points) if row.tobytes() in wanted]


def share_bars(found: Mapping[str, Mapping[str, Any]]) -> Panel:
    """Draw the verdicts of each dataset as a bar, and the interval of what is covered."""
    figure, axes = new_axes((5.2, 0.8 + _BAR_INCHES * len(found)))
    left = np.zeros(len(found))
    for verdict, colour in COLOURS.items():
        share = np.array([100 * one["counts"][verdict] / one["frames"] for one in found.values()])
        axes.barh(list(found), share, left=left, color=colour, height=0.6)
        left += share
    middle = np.array([100 * one["fraction_covered"] for one in found.values()])
    ends = 100 * np.array([one["interval"] for one in found.values()])
    axes.errorbar(
        middle, list(found), xerr=np.abs(ends.T - middle), fmt="none", ecolor=INK, elinewidth=1,
        capsize=3,
    )  # fmt: skip
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("frames (%)")
    caption = "green covered, orange borderline, red new; line: 95 % interval of covered"
    return Panel(
        "Verdicts", to_markup(figure, "shares", f"Verdicts by dataset: {caption}."), caption
    )
