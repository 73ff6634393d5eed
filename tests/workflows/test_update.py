"""An open initiative at small size, as scripts/initiative.py and docs/initiative.md play it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lamflow.registry.inbox import scan
from lamflow.registry.registry import Registry
from lamflow.registry.release import ModelContent
from lamflow.registry.verify import verify_all
from lamflow.store.local import LocalStore
from lamflow.update.ledger import endings

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
MODEL = "open/tiny"
# A network that learns nothing much, but quickly: what is tested is what is done with it.
SMALL = (
    "first={preset: dpa1-tiny, descriptor: {rcut: 4.0, sel: 40, neuron: [8, 16], axis_neuron: 4}, "
    "fitting_net: {neuron: [24, 24]}}"
)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("initiative") / "play"
    options = [SMALL, "train.batch=1", "checks.model=false", "train.threads=1"]
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/initiative.py", folder, "--steps", "40",
         *(word for option in options for word in ("--set", option))],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def registry(played: Path) -> Registry:
    return Registry(LocalStore(played / "registry"))


def content(registry: Registry, version: int) -> ModelContent:
    found = registry.release("model", f"{MODEL}@{version}").content
    assert isinstance(found, ModelContent)
    return found


def errors(registry: Registry, version: int) -> dict[str, Any]:
    return {one.test_set: one.errors for one in content(registry, version).results}


def test_each_contribution_got_what_it_deserves(registry: Registry) -> None:
    found = {item.name: item.outcome for item in scan(registry.store)}
    assert {name: one.decision for name, one in found.items() if one} == {
        "metal": "published", "oxide": "published", "slab": "published", "dirty": "quarantined",
        "metal_more": "covered", "mixed": "stopped",
    }  # fmt: skip
    assert "NAN 15" in (found["dirty"].reason if found["dirty"] else "")
    assert "oxide (head oxide) energy" in (found["mixed"].reason if found["mixed"] else "")
    assert all(one and one.report and registry.store.stat(one.report) for one in found.values())


def test_versions_are_those_that_passed_the_gate(registry: Registry) -> None:
    tags = registry.tags("model", MODEL)
    assert tags == {"candidate": 3, "latest": 2}
    assert list(content(registry, 1).card.heads) == ["metal", "oxide"]
    assert set(content(registry, 2).card.heads) == {"metal", "oxide", "slab"}
    assert list(content(registry, 2).parents) == [f"{MODEL}@1"]
    assert len(endings(registry.store, MODEL)) == 5, "the last update had nothing to do"


def test_the_new_head_beats_zero_shot_and_old_ones_stay_good(
    registry: Registry, played: Path
) -> None:
    before, after = errors(registry, 1), errors(registry, 2)
    for name in ("metal", "oxide"):
        for key in ("energy_rmse_meV_per_atom", "force_rmse_meV_per_A"):
            assert after[name][key] <= 1.25 * before[name][key]
    ending = endings(registry.store, MODEL)[1]
    page = registry.store.read(str(ending.report))[0].decode()
    assert "slab (zero-shot before)" in page
    assert "times smaller" in page.partition("slab (zero-shot before)")[2][:600]


def test_all_that_made_a_version_is_registered(registry: Registry) -> None:
    assert all(not faults for _, faults in verify_all(registry, "model"))
    from lamflow.registry.lineage import lineage, tree_lines

    text = "\n".join(tree_lines(lineage(registry, "model", f"{MODEL}@2")))
    for name in ("metal", "oxide", "slab"):
        assert f"dataset {MODEL}/{name}/sent@1" in text
    assert "not in this registry" not in text


def test_the_site_shows_all_of_it(played: Path) -> None:
    site = played / "site"
    index = (site / "index.html").read_text()
    for word in ("quarantined", "covered", "stopped", "published"):
        assert word in index
    model = (site / "model.open.tiny.html").read_text()
    assert f"{MODEL}@3 was refused" in model
    reports = sorted(site.glob("update.open.tiny.*.html"))
    assert len(reports) == 5
    assert all(report.name in model for report in reports)


def test_nothing_new_is_nothing_done(played: Path) -> None:
    card = json.loads((played / "lamflow-runs/nightly/result/card.json").read_text())
    assert (card["base"], card["candidate"], card["datasets"]) == (f"{MODEL}@2", None, {})
