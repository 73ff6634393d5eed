"""What the pages of the registry's site show: rows and values, ready for the templates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lamflow.registry.inbox import Item
from lamflow.registry.release import DatasetContent, ModelContent, Release
from lamflow.report.periodic_table import place
from lamflow.report.tables import ERROR_QUANTITIES
from lamflow.report.text import DASH, count, error, plain
from lamflow.update.ledger import Ending


@dataclass(frozen=True)
class Header:
    """What the base template puts on top of a page."""

    name: str
    status: str


@dataclass(frozen=True)
class Named:
    """All versions of one name, and its tags.

    Attributes
    ----------
    name
        Name in the registry.
    page
        File of its page, relative to the site's folder.
    releases
        All versions, in order.
    tags
        Version by tag.
    """

    name: str
    page: str
    releases: tuple[Release, ...]
    tags: Mapping[str, int]

    @property
    def current(self) -> Release:
        """What `latest` means, else the last version."""
        by_version = {release.version: release for release in self.releases}
        return by_version.get(self.tags.get("latest", 0), self.releases[-1])

    def tags_of(self, version: int) -> str:
        """Return the tags of a version, in words."""
        return ", ".join(tag for tag, at in self.tags.items() if at == version)


@dataclass(frozen=True)
class Line:
    """One line of a table: a link (or nothing), its words, and the cells beside it."""

    href: str
    title: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Square:
    """An element in the periodic table; `amount` is 0 to 1, how much there is of it."""

    symbol: str
    row: int
    column: int
    amount: float
    title: str


def model_content(release: Release) -> ModelContent:
    """Return the content of a model's version."""
    if not isinstance(release.content, ModelContent):
        raise TypeError(f"{release} is no model")
    return release.content


def dataset_content(release: Release) -> DatasetContent:
    """Return the content of a dataset's version."""
    if not isinstance(release.content, DatasetContent):
        raise TypeError(f"{release} is no dataset")
    return release.content


def learnt_elements(content: ModelContent) -> list[str]:
    """Return the elements that a model has seen in training, in the order of its type map."""
    seen = {symbol for head in content.card.heads.values() for symbol in head.elements}
    return [symbol for symbol in content.card.type_map if symbol in seen]


def model_lines(models: Sequence[Named]) -> list[Line]:
    """List the models."""
    lines = []
    for named in models:
        content = model_content(named.current)
        cells = (
            str(named.current.version), plain(named.tags), str(len(named.releases)),
            plain(list(content.card.heads)), str(len(learnt_elements(content))),
            plain(content.card.cutoff), named.current.published[:10],
        )  # fmt: skip
        lines.append(Line(named.page, named.name, cells))
    return lines


def dataset_lines(datasets: Sequence[Named]) -> list[Line]:
    """List the datasets."""
    lines = []
    for named in datasets:
        card = dataset_content(named.current).card
        cells = (
            str(named.current.version), count(card.frames), " ".join(card.elements),
            plain(card.labels), plain(card.dft), plain(card.licence),
        )  # fmt: skip
        lines.append(Line(named.page, named.name, cells))
    return lines


def version_lines(named: Named) -> list[Line]:
    """List the versions of a model, the newest first."""
    lines = []
    for release in reversed(named.releases):
        content = model_content(release)
        cells = (
            plain(named.tags_of(release.version)), release.published.replace("T", " "),
            plain(list(content.card.heads)), count(content.card.steps),
            plain(list(content.parents)),
            DASH if content.labels_bought is None else count(content.labels_bought),
            f"{content.gpu_hours:.2f}",
        )  # fmt: skip
        lines.append(Line("", str(release.version), cells))
    return lines


def update_page(named: Named, ending: Ending) -> str:
    """Return the file of an update's report."""
    return f"update.{named.name.replace('/', '.')}.{ending.id}.html"


def update_lines(named: Named, endings: Sequence[Ending], reports: Mapping[str, str]) -> list[Line]:
    """List the updates of a model, the newest first; `reports` are pages by the report's key."""
    lines = []
    for number, ending in reversed(list(enumerate(endings, start=1))):
        if ending.release:
            result = f"✓ {ending.release} is released"
        elif ending.candidate:
            result = f"✗ {ending.candidate} was refused: {'; '.join(ending.worse)}"
        else:
            result = "no new version"
        datasets = [f"{one.name} {one.decision}" for one in ending.outcomes]
        datasets += [f"{name} is tried again alone" for name in ending.alone]
        cells = (
            ending.finished.replace("T", " "), plain(ending.base), result, "; ".join(datasets),
        )  # fmt: skip
        lines.append(Line(reports.get(ending.report or "", ""), f"update {number}", cells))
    return lines


def inbox_lines(items: Iterable[Item], reports: Mapping[str, str]) -> list[Line]:
    """List what contributors have sent; `reports` are pages by the report's key."""
    lines = []
    for item in items:
        found = item.outcome
        if found is None:
            state = "waits for an update" if item.is_new else "not complete"
            lines.append(Line("", item.name, (state, item.fault or DASH, DASH)))
            continue
        page = reports.get(found.report or "", "")
        cells = (found.decision, found.reason or DASH, plain(found.release))
        lines.append(Line(page, item.name, cells))
    return lines


def property_lines(content: ModelContent) -> list[Line]:
    """List the property tests of a version."""
    return [
        Line(
            "",
            f"{one.system}: {one.name}",
            (
                DASH if one.value is None else f"{one.value:.4g} {one.unit}",
                DASH if one.reference is None else f"{one.reference:.4g} {one.unit}",
                "✓ passed" if one.passed else f"✗ failed{': ' * bool(one.reason)}{one.reason}",
            ),
        )
        for one in content.properties
    ]


def comparison(models: Sequence[Named]) -> list[tuple[str, list[Line]]]:
    """Compare the current versions of all models: per quantity, a line for each test set."""
    tables = []
    for words, unit, key, _ in ERROR_QUANTITIES:
        by_set: dict[str, dict[str, str]] = {}
        for named in models:
            for result in model_content(named.current).results:
                if result.errors.get(key) is not None:
                    cell = error(result.errors[key])
                    by_set.setdefault(result.test_set, {})[named.name] = cell
        lines = [
            Line("", name, tuple(found.get(named.name, DASH) for named in models))
            for name, found in sorted(by_set.items())
        ]
        if lines:
            tables.append((f"{words} RMSE, {unit}", lines))
    return tables


def metrics_of(content: ModelContent) -> dict[str, Any]:
    """Return the results as ``metrics.json`` has them, for the reports' table of errors."""
    return {
        "heads": {
            result.test_set: {
                **result.errors, "frames": result.frames, "baseline": result.baseline
            }
            for result in content.results
        }
    }  # fmt: skip


def periodic_table(amounts: Mapping[str, float], unit: str) -> list[Square]:
    """Place all elements; `amounts` by symbol tell how dark each is, on a square-root scale."""
    from ase.data import chemical_symbols

    largest = max(amounts.values(), default=0.0) or 1.0
    squares = []
    for number in range(1, 119):
        symbol = chemical_symbols[number]
        amount = amounts.get(symbol, 0.0)
        row, column = place(number)
        title = f"{symbol}: {count(amount)} {unit}" if amount else symbol
        squares.append(Square(symbol, row, column, (amount / largest) ** 0.5, title))
    return squares


def frames_by_element(content: ModelContent) -> dict[str, float]:
    """Return in how many training frames' datasets each element is: frames of its heads."""
    amounts: dict[str, float] = {}
    for head in content.card.heads.values():
        for symbol in head.elements:
            amounts[symbol] = amounts.get(symbol, 0.0) + head.frames
    return amounts
