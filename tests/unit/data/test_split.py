from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lamflow.data.card import read_card
from lamflow.data.dataset import Dataset
from lamflow.data.groups import assign, cut_large, near_groups
from lamflow.data.split import split_dataset
from lamflow.errors import InputError

FRACTIONS = {"train": 0.8, "validation": 0.1, "test": 0.1}


def _origins(folder: Path) -> set[int]:
    rows = (folder / "frames.tsv").read_text().splitlines()[1:]
    return {int(row.split("\t")[3]) for row in rows}


def test_parts_are_disjoint_and_complete(make_system, write_dataset, tmp_path) -> None:
    source = write_dataset(make_system(50))
    summary = split_dataset(source, tmp_path / "parts", FRACTIONS, seed=1)
    assert summary.frames == {"train": 40, "validation": 5, "test": 5}
    parts = [_origins(tmp_path / "parts" / part) for part in FRACTIONS]
    assert sum(map(len, parts)) == 50
    assert set.union(*parts) == set(range(50))
    assert "near-identical" in read_card(tmp_path / "parts" / "test").notes["split"]


def test_same_seed_same_split(make_system, write_dataset, tmp_path) -> None:
    source = write_dataset(make_system(40))
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        split_dataset(source, tmp_path / name, FRACTIONS, seed=seed)
    a, b, c = (_origins(tmp_path / name / "test") for name in "abc")
    assert a == b
    assert a != c


def test_near_copies_stay_together(make_system, write_dataset, tmp_path) -> None:
    base = make_system(40)
    rng = np.random.default_rng(0)
    copies = [
        replace(base, coords=base.coords + rng.normal(scale=0.005, size=base.coords.shape) + shift)
        for shift in (0.0, 1.0, 2.0)
    ]
    source = write_dataset(*copies)
    summary = split_dataset(source, tmp_path / "parts", FRACTIONS, seed=3)
    assert 35 <= summary.groups <= 40
    assert summary.cut_frames == 0
    assert summary.leak_risk == {"validation": 0.0, "test": 0.0}
    # frames.tsv of a part names the frame in the source, where copy k of frame i is 40 k + i.
    train, test = ({i % 40 for i in _origins(tmp_path / "parts" / p)} for p in ("train", "test"))
    assert not train & test


def test_a_trajectory_is_cut_into_blocks_and_this_is_told(
    make_system, write_dataset, tmp_path
) -> None:
    one = make_system(1)
    steps = np.linspace(0, 1, 200)[:, None, None] * np.random.default_rng(0).normal(size=(5, 3))
    frames = one.take(np.zeros(200, dtype=int))
    frames = replace(frames, coords=frames.coords + steps, origins=np.arange(200))
    summary = split_dataset(write_dataset(frames), tmp_path / "parts", FRACTIONS, seed=1)
    assert summary.groups == 1
    assert summary.cut_frames == 200
    assert all(0 < risk <= 1 for risk in summary.leak_risk.values())
    assert summary.frames["test"] >= 10


def test_small_fractions_get_a_frame(make_system, write_dataset, tmp_path) -> None:
    source = write_dataset(make_system(10))
    summary = split_dataset(
        source, tmp_path / "parts", {"train": 0.98, "validation": 0.01, "test": 0.01}, seed=1
    )
    assert summary.frames == {"train": 8, "validation": 1, "test": 1}


def test_a_fraction_of_zero_writes_no_part(make_system, write_dataset, tmp_path) -> None:
    source = write_dataset(make_system(10))
    split_dataset(source, tmp_path / "parts", {"train": 0.9, "validation": 0.1, "test": 0}, seed=1)
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["train", "validation"]


def test_fewer_frames_than_parts(make_system, write_dataset, tmp_path) -> None:
    with pytest.raises(InputError, match="2 frames, too few for the parts train, validation, test"):
        split_dataset(write_dataset(make_system(2)), tmp_path / "parts", FRACTIONS, seed=1)


def test_parts_read_back_with_all_elements(make_system, write_dataset, tmp_path) -> None:
    source = write_dataset(make_system(12), make_system(12, natoms=7, periodic=False))
    split_dataset(source, tmp_path / "parts", FRACTIONS, seed=1)
    for part in FRACTIONS:
        assert Dataset.open(tmp_path / "parts" / part).elements == ("O", "Ti")


def test_groups_ignore_frames_that_are_not_usable() -> None:
    points = np.array([[0.0, 0], [0, 1e-9], [np.nan, 0], [5, 5], [9, 1], [2, 7]])
    groups = near_groups(points, seed=0).groups
    assert groups[0] == groups[1]
    assert len(set(groups)) == 5


def test_cut_blocks_keep_neighbours_together() -> None:
    rng = np.random.default_rng(0)
    place = rng.permutation(100)
    near = near_groups(place[:, None] * 1.0, seed=0)
    assert len(set(near.groups)) == 1
    labels, cut = cut_large(near, 10)
    assert cut == 100
    spans = [np.ptp(place[labels == label]) for label in range(labels.max() + 1)]
    assert max(spans) < 30


def test_every_part_gets_a_group_if_there_are_enough() -> None:
    parts = assign(np.repeat(np.arange(3), 10), {"a": 0.98, "b": 0.01, "c": 0.01}, seed=0)
    assert [len(part) for part in parts.values()] == [10, 10, 10]
