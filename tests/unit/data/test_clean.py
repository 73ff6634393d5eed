import json
from pathlib import Path

import numpy as np
import pytest

from lamflow.config.clean import CleanSettings
from lamflow.data.card import read_card
from lamflow.data.clean import clean_dataset
from lamflow.data.dataset import Dataset
from lamflow.errors import InputError


@pytest.fixture
def dirty(make_system, write_dataset) -> Path:
    system = make_system(12)
    system.energies[1] = np.nan
    system.forces[2, 0, 0] = np.inf
    system.coords[3, 1, 1] = np.nan
    system.cells[4, 2] = 0
    system.coords[5] = system.coords[6]
    system.forces[7, 0, 0] = 1e4
    return write_dataset(system)


def _reasons(folder: Path) -> dict[int, str]:
    lines = (folder / "reasons.jsonl").read_text().splitlines()
    return {line["frame"]: line["code"] for line in map(json.loads, lines)}


def test_bad_frames_go_to_quarantine_with_reasons(dirty: Path, tmp_path: Path) -> None:
    summary = clean_dataset(
        Dataset.open(dirty), tmp_path / "clean", tmp_path / "bad", CleanSettings()
    )
    assert (summary.frames_in, summary.kept, summary.quarantined) == (12, 7, 5)
    assert _reasons(tmp_path / "bad") == {
        1: "NOT_FINITE", 2: "NOT_FINITE", 3: "NOT_FINITE", 4: "CELL_ZERO", 6: "DUPLICATE",
        7: "FORCE_LARGE",
    }  # fmt: skip
    assert Dataset.open(tmp_path / "clean").nframes == 7
    assert Dataset.open(tmp_path / "bad" / "frames").nframes == 5
    assert "5 quarantined" in read_card(tmp_path / "clean").notes["clean"]


def test_decisions_are_the_users(dirty: Path, tmp_path: Path) -> None:
    settings = CleanSettings(finite="off", duplicates="warn", forces="reject")
    summary = clean_dataset(Dataset.open(dirty), tmp_path / "clean", tmp_path / "bad", settings)
    assert summary.quarantined == 1
    assert summary.by_code == {"DUPLICATE": 1, "FORCE_LARGE": 1}


def test_all_rejected_is_an_error_with_the_place_of_the_reasons(
    make_system, write_dataset, tmp_path
) -> None:
    system = make_system(2)
    system.energies[:] = np.nan
    source = Dataset.open(write_dataset(system))
    with pytest.raises(InputError, match=r"all 2 frames were rejected; .*reasons.jsonl"):
        clean_dataset(source, tmp_path / "clean", tmp_path / "bad", CleanSettings())
    assert (tmp_path / "bad" / "frames").is_dir()


def test_mixed_units_are_told(make_system, write_dataset, tmp_path) -> None:
    system = make_system(6)
    system.energies[3] /= 27.2
    summary = clean_dataset(
        Dataset.open(write_dataset(system)), tmp_path / "clean", tmp_path / "bad", CleanSettings()
    )
    assert summary.kept == 6
    assert "units or energy references may be mixed" in summary.warnings[0]
