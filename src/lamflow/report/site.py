"""The registry as a static site: pages that need no server, no script and no network."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamflow.errors import InputError, Problem
from lamflow.evaluate.embedding import TypeMap, type_map_plane
from lamflow.files import new_folder, write_text
from lamflow.registry.inbox import scan
from lamflow.registry.lineage import lineage, tree_lines
from lamflow.registry.names import Kind
from lamflow.registry.parts import fetch_part
from lamflow.registry.registry import Registry
from lamflow.registry.release import Release
from lamflow.report import site_pages, site_plots
from lamflow.report.html import render
from lamflow.report.lineage_svg import lineage_markup
from lamflow.report.site_pages import Header, Named
from lamflow.report.tables import error_table
from lamflow.report.text import flatten
from lamflow.update.ledger import endings

_MARK = ".lamflow-site"  # a folder with it may be replaced
_CHECKPOINT = "model.pt"

EmbeddingMap = Callable[[Registry, Release], TypeMap | None]


def fetch_embedding_map(registry: Registry, release: Release) -> TypeMap | None:
    """Fetch a version's checkpoint, check its hash, and map its type embedding."""
    content = site_pages.model_content(release)
    part = content.parts.get(_CHECKPOINT)
    if part is None:
        return None
    heads = list(content.card.heads)
    with tempfile.TemporaryDirectory(prefix="lamflow-site-") as scratch:
        model = Path(scratch) / _CHECKPOINT
        fetch_part(registry.store, part, model)
        head = heads[0] if len(heads) > 1 else None
        return type_map_plane(model, head, site_pages.learnt_elements(content))


def build_site(
    registry: Registry, folder: Path, embedding_map: EmbeddingMap | None = fetch_embedding_map
) -> list[Path]:
    """Write the site of `registry` into `folder`, whole or not at all.

    Parameters
    ----------
    registry
        What to show.
    folder
        New, empty, or an older site, which is replaced.
    embedding_map
        What maps a model's type embedding; None leaves the maps out (they load each model).

    Returns
    -------
    The pages, ``index.html`` first.

    Raises
    ------
    InputError
        `folder` has other things in it.
    """
    if folder.exists() and not (folder / _MARK).is_file() and any(folder.iterdir()):
        what = "is not empty and no site of lamflow; name a new folder"
        raise InputError(Problem(str(folder), "", what))
    models, datasets = _named(registry, "model"), _named(registry, "dataset")
    pages = {"index.html": _index(registry, models, datasets)}
    pages |= {named.page: _model(registry, named, embedding_map) for named in models}
    pages |= {named.page: _dataset(registry, named, models) for named in datasets}
    pages |= _update_reports(registry, models)
    with new_folder(folder) as made:
        write_text(made / _MARK, "")
        for name, text in pages.items():
            write_text(made / name, text)
    return [folder / name for name in pages]


def _named(registry: Registry, kind: Kind) -> list[Named]:
    return [
        Named(
            name,
            f"{kind}.{name.replace('/', '.')}.html",
            tuple(registry.releases(kind, name)),
            registry.tags(kind, name),
        )
        for name in registry.names(kind)
    ]


def _update_reports(registry: Registry, models: list[Named]) -> dict[str, str]:
    """Fetch the reports of all updates, as pages."""
    pages = _reports(registry, models)
    return {page: registry.store.read(key)[0].decode() for key, page in pages.items()}


def _page(template: str, name: str, status: str, headline: str, **values: Any) -> str:
    return render(
        template, report=Header(name, status), kind="registry", headline=headline, seconds=None,
        **values,
    )  # fmt: skip


def _index(registry: Registry, models: list[Named], datasets: list[Named]) -> str:
    frames = sum(site_pages.dataset_content(named.current).card.frames for named in datasets)
    amounts: dict[str, float] = {}
    for named in datasets:
        card = site_pages.dataset_content(named.current).card
        for symbol in card.elements:
            amounts[symbol] = amounts.get(symbol, 0.0) + card.frames
    versions = sum(len(named.releases) for named in models)
    headline = (
        f"{_some(len(models), 'model')} in {_some(versions, 'version')}; "
        f"{_some(len(datasets), 'dataset')} with {_some(frames, 'frame')} "
        f"of {_some(len(amounts), 'element')}."
    )
    return _page(
        "site_index.html.j2", "Models and datasets", registry.store.url, headline,
        models=site_pages.model_lines(models),
        datasets=site_pages.dataset_lines(datasets),
        names=[named.name for named in models],
        comparison=site_pages.comparison(models),
        squares=site_pages.periodic_table(amounts, "frames of datasets that have it"),
        inbox=site_pages.inbox_lines(scan(registry.store), _reports(registry, models)),
    )  # fmt: skip


def _reports(registry: Registry, models: list[Named]) -> dict[str, str]:
    """Page of each update's report, by the key of the report."""
    return {
        ending.report: site_pages.update_page(named, ending)
        for named in models
        for ending in endings(registry.store, named.name)
        if ending.report is not None and registry.store.stat(ending.report) is not None
    }


def _some(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}".replace(",", "\u202f")


def _model(registry: Registry, named: Named, embedding_map: EmbeddingMap | None) -> str:
    current = named.current
    content = site_pages.model_content(current)
    plane = embedding_map(registry, current) if embedding_map else None
    weights = {name: head.weight for name, head in content.card.heads.items()}
    tree = lineage(registry, "model", str(current))
    card = content.card.model_dump(mode="json", exclude={"files"})
    headline = (
        f"Version {current.version} is current: {_some(len(content.card.heads), 'head')}, "
        f"{_some(len(site_pages.learnt_elements(content)), 'element')}."
    )
    return _page(
        "site_model.html.j2", named.name, _some(len(named.releases), "version"), headline,
        current=current,
        content=content,
        versions=site_pages.version_lines(named),
        updates=site_pages.update_lines(
            named, endings(registry.store, named.name), _reports(registry, [named])
        ),
        history=site_plots.history(named.releases),
        errors=error_table(site_pages.metrics_of(content), weights),
        properties=site_pages.property_lines(content),
        squares=site_pages.periodic_table(
            site_pages.frames_by_element(content), "training frames of heads that have it"
        ),
        plane=plane and site_plots.embedding_map(plane, "embedding"),
        families=site_plots.shown_families(plane.symbols) if plane else {},
        picture=lineage_markup(lineage(registry, "model", str(current), few=0)),
        tree=list(tree_lines(tree)),
        card=list(flatten(card)),
    )  # fmt: skip


def _dataset(registry: Registry, named: Named, models: list[Named]) -> str:
    current = named.current
    content = site_pages.dataset_content(current)
    users = [
        site_pages.Line(model.page, str(release), ())
        for model in models
        for release in model.releases
        if any(a.sha256 == content.card.sha256 for a in site_pages.model_content(release).ancestors)
    ]
    headline = (
        f"{_some(content.card.frames, 'frame')} of {_some(len(content.card.elements), 'element')}, "
        f"{content.card.licence}."
    )
    versions = [
        site_pages.Line(
            "", str(release.version),
            (named.tags_of(release.version), release.published.replace("T", " "),
             f"{site_pages.dataset_content(release).card.frames}", release.sha256[:12]),
        )
        for release in reversed(named.releases)
    ]  # fmt: skip
    return _page(
        "site_dataset.html.j2", named.name, _some(len(named.releases), "version"), headline,
        current=current,
        content=content,
        versions=versions,
        users=users,
        squares=site_pages.periodic_table(
            dict.fromkeys(content.card.elements, float(content.card.frames)), "frames"
        ),
        picture=lineage_markup(lineage(registry, "dataset", str(current))),
        tree=list(tree_lines(lineage(registry, "dataset", str(current), few=10**9))),
        card=list(flatten(content.card.model_dump(mode="json"))),
    )  # fmt: skip
