"""Pictures of the registry's site."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lamflow.evaluate.embedding import TypeMap
from lamflow.registry.release import ModelContent, Release
from lamflow.report.palette import MUTED, SERIES
from lamflow.report.periodic_table import FAMILIES, family
from lamflow.report.plots import Panel, Row, new_axes
from lamflow.report.svg import to_markup
from lamflow.report.tables import ERROR_QUANTITIES
from lamflow.report.text import error, finite

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAP_INCHES = (4.2, 3.6)
_POINT_OFFSET = (4, 3)


def history(releases: Sequence[Release]) -> list[Row]:
    """Draw each error over the versions: a row for each quantity, a panel for each test set."""
    rows = []
    for index, (words, unit, key, _) in enumerate(ERROR_QUANTITIES):
        series = _series(releases, key)
        panels = tuple(
            _history_panel(name, points, f"{words} RMSE ({unit})", f"history-{index}-{place}")
            for place, (name, points) in enumerate(series.items())
        )
        if panels:
            rows.append(Row(f"{words} RMSE, {unit}", panels))
    return rows


def _series(releases: Sequence[Release], key: str) -> dict[str, list[tuple[int, float]]]:
    """Return (version, error) by test set, where there is one."""
    series: dict[str, list[tuple[int, float]]] = {}
    for release in releases:
        if not isinstance(release.content, ModelContent):
            continue
        for result in release.content.results:
            value = finite(result.errors.get(key))
            if value is not None:
                name = result.test_set
                if result.head != result.test_set:
                    name += f" (head {result.head})"
                series.setdefault(name, []).append((release.version, value))
    return series


def _history_panel(name: str, points: Sequence[tuple[int, float]], label: str, key: str) -> Panel:
    versions, errors = zip(*points, strict=True)
    figure, axes = new_axes()
    axes.plot(versions, errors, color=SERIES[0], marker="o", markersize=3.5)
    axes.set_ylim(0, 1.12 * max(errors) or 1.0)
    axes.set_xlim(versions[0] - 0.5, versions[-1] + 0.5)
    _whole_ticks(figure)
    axes.set_xlabel("version")
    axes.set_ylabel(label)
    caption = f"version {versions[-1]}: {error(errors[-1])}"
    if len(errors) > 1:
        caption += f"; version {versions[-2]}: {error(errors[-2])}"
    return Panel(name, to_markup(figure, key, f"{label} of {name} by version: {caption}."), caption)


def _whole_ticks(figure: "Figure") -> None:
    from matplotlib.ticker import MaxNLocator

    figure.axes[0].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))


def embedding_map(plane: TypeMap, key: str) -> Panel:
    """Draw the elements on the plane of the type embedding, coloured by family."""
    figure, axes = new_axes(_MAP_INCHES)
    families = {symbol: family(symbol) for symbol in plane.symbols}
    for name, colour in FAMILIES.items():
        chosen = [index for index, s in enumerate(plane.symbols) if families[s] == name]
        if chosen:
            axes.plot(
                plane.points[chosen, 0], plane.points[chosen, 1], linestyle="none", marker="o",
                markersize=4, color=colour,
            )  # fmt: skip
    for symbol, (x, y) in zip(plane.symbols, plane.points, strict=True):
        axes.annotate(
            symbol, (float(x), float(y)), xytext=_POINT_OFFSET, textcoords="offset points",
            color=MUTED, fontsize=7.5,
        )  # fmt: skip
    axes.margins(0.12)
    first, second = (f"{100 * part:.0f} %" for part in plane.explained)
    axes.set_xlabel(f"first principal component ({first} of the variance)")
    axes.set_ylabel(f"second ({second})")
    both = 100 * float(plane.explained.sum())
    caption = f"{len(plane.symbols)} elements; the two axes hold {both:.0f} % of the variance"
    text = f"Map of the type embedding: {caption}."
    return Panel("Type embedding", to_markup(figure, key, text), caption)


def shown_families(symbols: Sequence[str]) -> Mapping[str, str]:
    """Return the families that occur, with the number of their colour in the style sheet."""
    present = {family(symbol) for symbol in symbols}
    return {
        name: f"--series-{SERIES.index(colour) + 1}"
        for name, colour in FAMILIES.items()
        if name in present
    }
