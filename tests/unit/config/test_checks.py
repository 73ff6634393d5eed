"""Looking at the data that a config names."""

from pathlib import Path

import pytest
from wrong_configs import BASE, write_data, write_system

from lamflow.config.checks import load_checked_config
from lamflow.errors import InputError


def write(folder: Path, text: str = BASE) -> Path:
    write_data(folder)
    path = folder / "pretrain.yaml"
    path.write_text(text)
    return path


def test_a_path_too_long_for_the_system_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, BASE.replace("data/water", "data/" + "x" * 300))
    with pytest.raises(InputError, match=r"datasets.0.path: .*x…: File name too long; check"):
        load_checked_config(path)


def test_of_very_many_broken_systems_some_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, BASE.replace("data/water", "data/many"))
    for number in range(9):
        folder = tmp_path / "data" / "many" / f"system{number}"
        write_system(folder, ["O", "H", "H"])
        (folder / "set.000" / "energy.npy").write_bytes(b"not numpy")
    with pytest.raises(InputError) as caught:
        load_checked_config(path)
    messages = str(caught.value).splitlines()
    assert len(messages) == 6
    assert messages[-1].endswith("data/many: 4 more systems have such problems")


def test_data_in_a_store_are_looked_at_where_they_can_be_fetched(tmp_path: Path) -> None:
    path = write(tmp_path, BASE.replace("path: data/water", "path: s3://bucket/water"))
    asked = []

    def fetch(location: str) -> Path:
        asked.append(location)
        return tmp_path / "data" / "nan"

    load_checked_config(path)
    with pytest.raises(InputError, match=r":5: datasets.0.path: s3://bucket/water: all 3 frames"):
        load_checked_config(path, fetch=fetch)
    assert asked == ["s3://bucket/water"]


def test_a_dataset_with_weight_0_is_checked_too(tmp_path: Path) -> None:
    path = write(tmp_path, BASE.replace("data/water, weight: 1.0", "data/nan, weight: 0"))
    with pytest.raises(InputError, match="all 3 frames have NaN"):
        load_checked_config(path)


def test_one_good_frame_is_enough_here(tmp_path: Path) -> None:
    """Cleaning rejects the others, with their reasons."""
    import numpy as np

    path = write(tmp_path)
    np.save(tmp_path / "data/water/set.000/energy.npy", np.array([np.nan, np.nan, -1.0]))
    load_checked_config(path)


def test_data_are_not_changed(tmp_path: Path) -> None:
    path = write(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    load_checked_config(path)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before
