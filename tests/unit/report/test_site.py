"""The registry's site: what is on it, and how it looks in a browser."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from registry_runs import write_run

from lamflow.errors import InputError
from lamflow.evaluate.embedding import TypeMap
from lamflow.files import write_json
from lamflow.registry.datasets import add_dataset
from lamflow.registry.inbox import Outcome, submit
from lamflow.registry.models import push_model
from lamflow.registry.registry import Registry
from lamflow.registry.release import Release
from lamflow.report.periodic_table import FAMILIES, family, place
from lamflow.report.site import build_site, fetch_embedding_map
from lamflow.store.local import LocalStore
from lamflow.update.ledger import Ending, close

DEMO = Path(__file__).parents[3] / "workflows/data"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Two datasets, a model of three versions, and another."""
    root = tmp_path_factory.mktemp("site")
    registry = Registry(LocalStore(root / "registry"))
    for name in ("tio2", "mol3bpa"):
        add_dataset(registry, DEMO / name, f"open/{name}")
    for number, rmse in enumerate((80.0, 70.0, 60.0), start=1):
        data = {"tio2": DEMO / "tio2", "mol3bpa": DEMO / "mol3bpa"}
        run = write_run(root / f"run-{number}", data, force_rmse=rmse, weights=str(number))
        test = {"system": "Cu fcc", "name": "C11", "unit": "GPa", "reference": 168.0}
        write_json(
            run / "result/properties.json",
            [test | {"value": 170.0, "passed": True},
             test | {"name": "C12", "value": None, "passed": False, "reason": "not relaxed"}],
        )  # fmt: skip
        push_model(
            registry, run / "result/model", "open/x", run=run,
            parents=[f"open/x@{number - 1}"] if number > 1 else [],
            limits=("no <charged> cells",),
        )  # fmt: skip
    push_model(registry, run / "result/model", "open/y")
    registry.move_tag("model", "open/x", "latest", 2)
    _update(registry, root)
    return registry


def _update(registry: Registry, root: Path) -> None:
    """Three contributions: one was quarantined, one stopped by the gate, one waits."""
    sha256 = {}
    for name in ("dirty", "worse", "later"):
        (root / name).mkdir()
        (root / name / "data.raw").write_text(name)
        manifest = submit(registry.store, root / name, name).manifest
        sha256[name] = manifest.sha256 if manifest else ""
    key = "updates/open/x/@reports/abc.html"
    registry.store.write(key, b"<!doctype html><title>update</title>")
    outcomes = (
        Outcome(name="dirty", sha256=sha256["dirty"], decision="quarantined", reason="NaN <1>",
                report=key),
        Outcome(name="worse", sha256=sha256["worse"], decision="stopped", reason="the gate",
                report=key, release="open/x@3"),
    )  # fmt: skip
    ending = Ending(
        id="abc", base="open/x@2", candidate="open/x@3", worse=("tio2: 1 → 2",),
        outcomes=outcomes, report=key, finished="2026-01-02T03:04:05Z",
    )  # fmt: skip
    close(registry, "open/x", ending)


def a_map(registry: Registry, release: Release) -> TypeMap:
    return TypeMap(("H", "O", "Ti"), np.array([[0.0, 1], [1, 0], [-1, -1]]), np.array([0.8, 0.1]))


@pytest.fixture(scope="module")
def site(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "site"
    pages = build_site(registry, folder, a_map)
    assert pages[0] == folder / "index.html"
    return folder


def test_every_link_leads_somewhere_and_nothing_is_fetched(site: Path) -> None:
    for page in site.glob("*.html"):
        text = page.read_text()
        for target in re.findall(r'(?:href|src)="([^"]*)"', text):
            file, _, anchor = target.partition("#")
            there = (site / file if file else page).read_text()
            assert not anchor or f'id="{anchor}"' in there, (page.name, target)
        assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
        assert "<script" not in text
        assert not (duplicate := [i for i in re.findall(r' id="([^"]+)"', text)
                                  if text.count(f' id="{i}"') > 1]), duplicate  # fmt: skip


def test_the_index_lists_and_compares(site: Path) -> None:
    text = (site / "index.html").read_text()
    assert "2 models in 4 versions; 2 datasets with 600 frames of 5 elements." in text
    assert 'href="model.open.x.html"' in text
    assert "Force RMSE, meV/Å" in text
    assert "70.0" in text  # of version 2, which is tagged latest
    assert "O: 600 frames" in text


def test_a_model_page_shows_its_history(site: Path) -> None:
    text = (site / "model.open.x.html").read_text()
    assert "Version 2 is current" in text
    assert "version 3: 60.0; version 2: 70.0" in text
    assert "no &lt;charged&gt; cells" in text
    assert "dataset open/tio2@1  300 frames" in text
    assert "90 % of the variance" in text
    assert "kind: pretrain" in text
    assert "170 GPa" in text
    assert "✗ failed: not relaxed" in text
    bare = (site / "model.open.y.html").read_text()
    assert "Errors over versions" not in bare


def test_updates_and_the_inbox_are_shown(site: Path) -> None:
    index = (site / "index.html").read_text()
    assert 'href="update.open.x.abc.html">dirty</a>' in index
    assert "NaN &lt;1&gt;" in index
    assert "waits for an update" in index
    model = (site / "model.open.x.html").read_text()
    assert 'href="update.open.x.abc.html">update 1</a>' in model
    assert "✗ open/x@3 was refused: tio2: 1 → 2" in model
    assert (site / "update.open.x.abc.html").read_text().startswith("<!doctype html>")
    assert "Updates" not in (site / "model.open.y.html").read_text()


def test_a_dataset_page_names_its_models(site: Path) -> None:
    text = (site / "dataset.open.tio2.html").read_text()
    assert text.count(">open/x@") == 3
    assert "set.000/force.npy" in text


def test_an_empty_registry_says_how_to_fill_it(tmp_path: Path) -> None:
    (index,) = build_site(Registry(LocalStore(tmp_path / "none")), tmp_path / "site")
    assert "lamflow models push RUN" in index.read_text()


def test_only_a_site_is_replaced(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="is not empty and no site of lamflow"):
        build_site(registry, tmp_path, None)
    folder = tmp_path / "site"
    build_site(registry, folder, None)
    (folder / "old.html").write_text("")
    build_site(registry, folder, None)
    assert not (folder / "old.html").exists()


def test_a_version_without_a_checkpoint_has_no_map(registry: Registry) -> None:
    release = registry.release("model", "open/x@1")
    parts = {"card.json": release.content.parts["card.json"]}
    bare = release.model_copy(
        update={"content": release.content.model_copy(update={"parts": parts})}
    )
    assert fetch_embedding_map(registry, bare) is None


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1, (1, 1)), (2, (1, 18)), (4, (2, 2)), (5, (2, 13)), (21, (4, 3)), (30, (4, 12)),
     (55, (6, 1)), (57, (9, 3)), (71, (9, 17)), (72, (6, 4)), (103, (10, 17)), (118, (7, 18))],
)  # fmt: skip
def test_places_in_the_periodic_table(number: int, expected: tuple[int, int]) -> None:
    assert place(number) == expected


def test_families_of_all_elements() -> None:
    from ase.data import chemical_symbols

    found = {symbol: family(symbol) for symbol in chemical_symbols[1:119]}
    assert set(found.values()) == set(FAMILIES)
    assert found["Fe"] == "d metal"
    assert found["U"] == "f metal"
    assert found["H"] == found["Cl"] == "nonmetal"
    assert found["Si"] == found["Pb"] == "p metal or metalloid"
    assert found["He"] == "noble gas"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [400, 1400])
def test_no_page_is_wider_than_the_window(site: Path, tmp_path: Path, width: int) -> None:
    """In a real browser: only regions that are meant to scroll are wider than the page."""
    frames = "".join(
        f'<iframe src="{page.as_uri()}" style="width:{width}px;height:2000px"></iframe>'
        for page in sorted(site.glob("*.html"))
    )
    script = (
        "onload = () => document.body.dataset.widths = "
        "[...document.querySelectorAll('iframe')].map("
        "f => f.contentDocument.documentElement.scrollWidth - f.clientWidth).join(' ')"
    )
    harness = tmp_path / "harness.html"
    harness.write_text(f"<body>{frames}<script>{script}</script></body>")
    done = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         "--allow-file-access-from-files", f"--user-data-dir={tmp_path}/profile",
         harness.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r'data-widths="([^"]*)"', done.stdout)
    assert found is not None, done.stderr
    assert [int(word) <= 0 for word in found[1].split()] == [True] * len(list(site.glob("*.html")))
