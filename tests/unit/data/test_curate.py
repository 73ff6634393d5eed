import json
from pathlib import Path

import numpy as np
import pytest

from lamflow.data.card import read_card
from lamflow.data.checks.settings import CheckSettings
from lamflow.data.curate import Curation, curate_dataset
from lamflow.data.dataset import Dataset
from lamflow.errors import InputError
from lamflow.files import sha256_tree

RULES = CheckSettings(model=False)


@pytest.fixture
def dirty(make_system, write_dataset) -> Path:
    """Thirty frames with faults in frames 1 to 5, beside a folder that cannot be read."""
    system = make_system(30)
    system.energies[1] = np.nan
    system.coords[2, 0] = system.coords[2, 1] + [0.3, 0, 0]
    system.energies[3] /= 27.211386
    system.forces[4] += [0.5, 0, 0]
    for array in (system.coords, system.energies, system.forces, system.virials):
        array[5] = array[20]
    folder = write_dataset(system)
    (folder / "broken" / "set.000").mkdir(parents=True)
    (folder / "broken" / "type.raw").write_text("0\n")
    return folder


def _curate(source: Path, tmp_path: Path, settings: CheckSettings = RULES) -> Curation:
    return curate_dataset(source, tmp_path / "good", tmp_path / "bad", settings, seed=1)


def test_frames_are_kept_or_quarantined_and_counts_add_up(dirty: Path, tmp_path: Path) -> None:
    before = sha256_tree(dirty)
    done = _curate(dirty, tmp_path)
    assert (done.frames_in, done.kept, done.repaired, done.quarantined) == (30, 25, 0, 5)
    assert done.by_code == {"NAN": 1, "OVERLAP": 1, "E_UNIT": 1, "NET_FORCE": 1, "DUP": 1}
    assert Dataset.open(tmp_path / "good").nframes == 25
    assert Dataset.open(tmp_path / "bad/frames").nframes == 5
    assert "25 kept" in read_card(tmp_path / "good").notes["clean"]
    assert sha256_tree(dirty) == before


def test_flags_name_frames_and_unreadable_systems(dirty: Path, tmp_path: Path) -> None:
    _curate(dirty, tmp_path)
    flags = json.loads((tmp_path / "bad/flags.json").read_text())
    assert flags == {"n005_efv": [1, 2, 3, 4, 20], "broken": "all"}
    summary = json.loads((tmp_path / "bad/summary.json").read_text())
    assert (
        "coord.npy" in summary["unreadable"]["broken"]
        or "type_map" in summary["unreadable"]["broken"]
    )


def test_every_finding_is_explained(dirty: Path, tmp_path: Path) -> None:
    _curate(dirty, tmp_path)
    lines = [json.loads(x) for x in (tmp_path / "bad/flags.jsonl").read_text().splitlines()]
    unit = next(line for line in lines if line["code"] == "E_UNIT")
    assert (unit["system"], unit["frame"], unit["decision"]) == ("n005_efv", 3, "reject")
    assert "read as Hartree" in unit["what"]
    assert unit["value"] > unit["threshold"]


def test_repairs_are_done_and_counted(dirty: Path, tmp_path: Path) -> None:
    settings = CheckSettings(model=False, decisions={"E_UNIT": "repair", "DUP": "off"})
    done = _curate(dirty, tmp_path, settings)
    assert (done.kept, done.repaired, done.quarantined) == (26, 1, 3)
    energies = np.concatenate([s.energies for s in Dataset.open(tmp_path / "good").systems()])
    assert energies.max() < -480


def test_a_good_dataset_has_no_quarantined_frames(make_system, write_dataset, tmp_path) -> None:
    done = _curate(write_dataset(make_system(20)), tmp_path)
    assert done.flags == {"n005_efv": []}
    assert not (tmp_path / "bad/frames").exists()


def test_nothing_left_is_an_error(make_system, write_dataset, tmp_path) -> None:
    system = make_system(3)
    system.energies[:] = np.nan
    with pytest.raises(InputError, match="all 3 frames were rejected"):
        _curate(write_dataset(system), tmp_path)
    assert json.loads((tmp_path / "bad/flags.json").read_text()) == {"n005_efv": "all"}


def test_files_of_other_formats(tmp_path: Path) -> None:
    import ase
    import ase.io

    rng = np.random.default_rng(0)
    frames = [ase.Atoms("OH", [[0, 0, 0], [0, 0, 1 + 0.1 * rng.random()]]) for _ in range(12)]
    (tmp_path / "raw/set").mkdir(parents=True)
    ase.io.write(tmp_path / "raw/set/a.extxyz", [*frames, frames[4]], format="extxyz")
    done = _curate(tmp_path / "raw", tmp_path)
    assert done.flags == {"set": [12]}


def test_copies_in_two_files_are_found(tmp_path: Path) -> None:
    import ase
    import ase.io

    rng = np.random.default_rng(0)
    frames = [ase.Atoms("OH", [[0, 0, 0], [0, 0, 1 + 0.1 * rng.random()]]) for _ in range(12)]
    (tmp_path / "raw").mkdir()
    ase.io.write(tmp_path / "raw/a.extxyz", frames, format="extxyz")
    ase.io.write(tmp_path / "raw/b.extxyz", frames[3:5], format="extxyz")
    assert _curate(tmp_path / "raw", tmp_path).flags == {"a.extxyz": [], "b.extxyz": "all"}
