"""The plots of the reports, each one small panel of its own.

Panels are separate pictures so that the page can put them side by side or below each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from lamflow.report.palette import INK, MUTED, RASTER, SERIES
from lamflow.report.svg import STYLE, to_markup
from lamflow.report.text import count, error, finite
from lamflow.train.curve import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

_INCHES = (2.9, 2.5)
_SQUARE_INCHES = (2.9, 2.9)
_CURVE_POINTS = 250
_PARITY_POINTS = 20_000
_MEV = 1000.0
_WIDE_RANGE = 200.0
_WILD = 0.02
_RASTER_DPI, _SMALL_RASTER_DPI = 190, 100
_FEW_HEADS = 8

_CURVE_QUANTITIES = (
    ("energy", "energy_rmse_meV_per_atom", "Energy RMSE", "meV/atom"),
    ("force", "force_rmse_meV_per_A", "Force RMSE", "meV/Å"),
    ("displacement", "", "Displacement RMSE of denoise heads", "mÅ"),
)
"""Series' stem in a curve, key of the baseline in the metrics, words, unit."""

_PARITY_QUANTITIES = (
    ("energy", "Energy", "eV/atom", "meV/atom"),
    ("force", "Force components", "eV/Å", "meV/Å"),
    ("virial", "Virial components", "eV/atom", "meV/atom"),
)
"""Stem of the arrays, words, unit of the axes, unit of the errors (a thousandth of the former)."""


@dataclass(frozen=True)
class Panel:
    """A picture with the head that it is of, and a caption."""

    head: str
    picture: Markup
    caption: str


@dataclass(frozen=True)
class Row:
    """Panels of one quantity, one per head, to be compared."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class _Line:
    """One series of a learning curve in meV units; `part` is `train` or `validation`."""

    part: str
    steps: Array
    values: Array


def new_axes(size: tuple[float, float] = _INCHES) -> "tuple[Figure, Axes]":
    """Make an empty figure of `size` (inches) in the reports' style."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
    axes.tick_params(colors=INK, which="both")
    for spine in axes.spines.values():
        spine.set_color(MUTED)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    return figure, axes


def learning_curves(
    curves: Mapping[str, Curve], baselines: Mapping[str, Mapping[str, Any]]
) -> list[Row]:
    """Draw the RMSE during training: a row per quantity, a panel per head, one log scale per row.

    Parameters
    ----------
    curves
        One per training, such as the members of a committee.
    baselines
        Head to the baseline's errors, keys of ``metrics.json``; drawn as a dashed line.
    """
    heads = list(dict.fromkeys(head for curve in curves.values() for head in curve.heads))
    rows = []
    for stem, key, words, unit in _CURVE_QUANTITIES:
        lines = {head: _lines(curves, head, stem) for head in heads}
        lines = {head: found for head, found in lines.items() if found}
        if not lines:
            continue
        bases = {head: finite(baselines.get(head, {}).get(key)) for head in lines}
        limits = _log_limits(lines.values(), bases.values())
        panels = []
        for index, (head, found) in enumerate(lines.items()):
            caption = _curve_caption(found, bases[head], unit)
            figure = _curve_figure(found, bases[head], limits, f"{words} ({unit})")
            text = f"Learning curve of head {head}, {words}: {caption}."
            panels.append(Panel(head, to_markup(figure, f"curve-{stem}-{index}", text), caption))
        rows.append(Row(f"{words}, {unit}", tuple(panels)))
    return rows


def _lines(curves: Mapping[str, Curve], head: str, stem: str) -> list[_Line]:
    """Collect what a log axis can show of a head's series, thinned."""
    lines = []
    for curve, part in product(curves.values(), ("train", "validation")):
        series = curve.heads.get(head, {}).get(f"{part}_{stem}")
        if series is None:
            continue
        values = np.asarray(series, dtype=float) * _MEV
        shown = np.flatnonzero(np.isfinite(values) & (np.nan_to_num(values) > 0))
        if len(shown) > _CURVE_POINTS:
            shown = shown[np.linspace(0, len(shown) - 1, _CURVE_POINTS).round().astype(int)]
        if len(shown):
            lines.append(_Line(part, np.asarray(curve.steps, dtype=float)[shown], values[shown]))
    return lines


def _log_limits(
    lines: Iterable[Sequence[_Line]], bases: Iterable[float | None]
) -> tuple[float, float]:
    """Limits that show the baselines and all but the wildest 2 % of the values."""
    values = np.concatenate([line.values for found in lines for line in found])
    low, high = np.quantile(values, [_WILD / 2, 1 - _WILD / 2])
    levels = [base for base in bases if base is not None and base > 0]
    return float(min([low, *levels]) / 1.2), float(max([high, *levels]) * 1.2)


def _curve_caption(lines: Sequence[_Line], baseline: float | None, unit: str) -> str:
    part = "validation" if any(line.part == "validation" for line in lines) else "train"
    last = [line.values[-1] for line in lines if line.part == part]
    words = "validation" if part == "validation" else "training"
    ends = " to ".join(dict.fromkeys((error(min(last)), error(max(last)))))
    return f"{words} ends at {ends} {unit}; baseline {error(baseline)}"


def _curve_figure(
    lines: Sequence[_Line], baseline: float | None, limits: tuple[float, float], label: str
) -> "Figure":
    figure, axes = new_axes(_INCHES)
    for line in lines:
        validation = line.part == "validation"
        axes.plot(
            line.steps, line.values, color=SERIES[0] if validation else MUTED,
            linewidth=1.3 if validation else 0.5, zorder=3 if validation else 2,
        )  # fmt: skip
    if baseline is not None and baseline > 0:
        axes.axhline(baseline, color=SERIES[1], linewidth=1.0, linestyle=(0, (4, 2)))
    axes.set_yscale("log")
    axes.set_ylim(*limits)
    _plain_log_ticks(axes)
    axes.set_xlabel("training step")
    axes.set_ylabel(label)
    return figure


def _plain_log_ticks(axes: "Axes") -> None:
    """Label a logarithmic axis with 20, 50, 100 and so on, not with powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axes.get_ylim()
    few = high / low > _WIDE_RANGE
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if few else (1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def parity(arrays: Mapping[str, Mapping[str, Array]]) -> list[Row]:
    """Draw predicted against reference values: a row per quantity, a square panel per head.

    Parameters
    ----------
    arrays
        Head to `energy`, `force`, `virial`: (n, 2), as in `PretrainReport.parity`.
    """
    dpi = _RASTER_DPI if len(arrays) <= _FEW_HEADS else _SMALL_RASTER_DPI
    rows = []
    for stem, words, unit, error_unit in _PARITY_QUANTITIES:
        panels = []
        for index, (head, values) in enumerate(arrays.items()):
            pairs = np.asarray(values.get(stem, np.empty((0, 2))), dtype=float)
            good = pairs[np.isfinite(pairs).all(axis=1)]
            if not len(good):
                continue
            rmse = _MEV * float(np.sqrt(np.mean((good[:, 1] - good[:, 0]) ** 2)))
            caption = f"RMSE {error(rmse)} {error_unit}, n = {count(len(good))}"
            if len(good) < len(pairs):
                caption += f", {count(len(pairs) - len(good))} not finite"
            figure = _parity_figure(good, unit)
            text = f"Parity of head {head}, {words}, {unit}: {caption}."
            panels.append(Panel(head, to_markup(figure, f"{stem}-{index}", text, dpi), caption))
        if panels:
            rows.append(Row(f"{words}, {unit}", tuple(panels)))
    return rows


def _parity_figure(pairs: Array, unit: str) -> "Figure":
    figure, axes = new_axes(_SQUARE_INCHES)
    low, high = float(pairs.min()), float(pairs.max())
    margin = 0.04 * (high - low) or 0.5
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color=MUTED, linewidth=0.7, zorder=1)
    every = -(-len(pairs) // _PARITY_POINTS)  # thin evenly, so that the picture stays small
    alpha = float(np.clip(40 / np.sqrt(len(pairs)), 0.15, 0.8))
    axes.plot(
        pairs[::every, 0], pairs[::every, 1], linestyle="none", marker="o", markersize=2.2,
        markeredgewidth=0, color=RASTER, alpha=alpha, rasterized=True, zorder=2,
    )  # fmt: skip
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.locator_params(nbins=5)
    axes.set_xlabel(f"reference ({unit})")
    axes.set_ylabel(f"predicted ({unit})")
    return figure
