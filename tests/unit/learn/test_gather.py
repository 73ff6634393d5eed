from pathlib import Path

import numpy as np
import pytest

from lamflow.data.dataset import Dataset
from lamflow.data.frames import System
from lamflow.errors import InputError, RunError
from lamflow.files import write_json
from lamflow.learn.committee import nothing_new
from lamflow.learn.frames import stream_frames, take_frames, write_frames
from lamflow.learn.gather import gather_labels
from lamflow.learn.label import LABELLED

SETTINGS = {"name": "t", "dft": "toy", "hold_out": 0.25, "failures": 0.5, "seed": 3}


def labelled(nframes: int, first: float, natoms: int = 2) -> System:
    coords = np.zeros((nframes, natoms, 3))
    coords[:, 1, 0] = 1.0 + np.arange(nframes) / 10
    energies = first + np.arange(nframes, dtype=float)
    return System(
        "s", ("H",), np.zeros((nframes, natoms), dtype=np.int64), coords, None, energies,
        np.zeros_like(coords), None, np.arange(nframes),
    )  # fmt: skip


def bought(folder: Path, system: System | None, rejected: int = 0) -> Path:
    count = write_frames(folder, [system] if system else [])
    reasons = [{"kind": "unconverged", "message": "no", "log": "SCF"}] * rejected
    write_json(
        folder / LABELLED,
        {"asked": count + rejected, "labelled": count, "rejected": reasons},
    )
    return folder


def test_frames_add_up_over_iterations_and_never_change_sides(tmp_path: Path) -> None:
    first = gather_labels(
        {"1": bought(tmp_path / "a", labelled(8, 0)), "2": bought(tmp_path / "b", None)}, {}, None,
        tmp_path / "one", tmp_path / "x", **SETTINGS,
    )  # fmt: skip
    assert first == {
        "asked": 8, "labelled": 8, "added": 0, "rejected": {},
        "frames": {"train": 6, "validation": 2},
    }  # fmt: skip
    second = gather_labels(
        {"1": bought(tmp_path / "c", labelled(4, 100, natoms=3), rejected=2)}, {},
        tmp_path / "one", tmp_path / "two", tmp_path / "x", **SETTINGS,
    )  # fmt: skip
    assert second["frames"] == {"train": 9, "validation": 3}
    assert (second["asked"], second["labelled"], second["rejected"]) == (6, 4, {"unconverged": 2})
    held = [sum_of(tmp_path / name / "validation") for name in ("one", "two")]
    assert held[0] < held[1]
    assert sum(s.nframes for s in stream_frames(tmp_path / "two/new")) == 4


def sum_of(folder: Path) -> set[float]:
    return {float(e) for s in Dataset.open(folder).systems() for e in np.asarray(s.energies)}


def test_too_many_failures_end_the_run_with_the_engine_s_words(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"3 of 5 frames got no label.*\nSCF"):
        gather_labels(
            {"1": bought(tmp_path / "a", labelled(2, 0), rejected=3)}, {}, None,
            tmp_path / "one", tmp_path / "x", **SETTINGS,
        )  # fmt: skip


def test_one_frame_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"raise start\.frames"):
        gather_labels(
            {"1": bought(tmp_path / "a", labelled(1, 0))}, {}, None,
            tmp_path / "one", tmp_path / "x", **SETTINGS,
        )  # fmt: skip
    assert not (tmp_path / "one/train").exists()


def test_a_user_s_dataset_is_divided_too(tmp_path: Path) -> None:
    write_frames(tmp_path / "mine", [labelled(8, 0)])
    done = gather_labels(
        {}, {"mine": tmp_path / "mine/frames"}, None, tmp_path / "one", tmp_path / "x", **SETTINGS
    )
    assert done["labelled"] == 0
    assert sum(done["frames"].values()) == 8
    assert done["frames"]["validation"] >= 1


def test_frames_are_counted_through_all_systems() -> None:
    systems = [labelled(3, 0), labelled(2, 10, natoms=3), labelled(2, 20)]
    taken = take_frames(systems, np.array([6, 1, 3, 4]))
    assert [list(np.asarray(s.energies)) for s in taken] == [[1.0], [10.0, 11.0], [21.0]]


def test_a_dataset_can_join_later_and_is_news_to_the_members(tmp_path: Path) -> None:
    gather_labels(
        {"1": bought(tmp_path / "a", labelled(8, 0))}, {}, None,
        tmp_path / "one", tmp_path / "x", **SETTINGS,
    )  # fmt: skip
    write_frames(tmp_path / "mine", [labelled(4, 100, natoms=3)])
    places = {"mine": tmp_path / "mine/frames"}
    none = {"1": bought(tmp_path / "b", None)}
    done = gather_labels(
        none, places, tmp_path / "one", tmp_path / "two", tmp_path / "y", **SETTINGS
    )
    assert (done["labelled"], done["added"], sum(done["frames"].values())) == (0, 4, 12)
    assert not nothing_new(tmp_path / "two")
    gather_labels(none, {}, tmp_path / "two", tmp_path / "three", tmp_path / "z", **SETTINGS)
    assert nothing_new(tmp_path / "three")
