import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lamflow.data.frames import FloatArray, System
from lamflow.distill.teacher import Doubts, TrustLimits, ask_teacher, usual_distance
from lamflow.evaluate.predictor import Prediction, Predictor
from lamflow.learn.frames import stream_frames, write_frames

LIMITS = TrustLimits(largest_force=10.0, force_deviation=0.5, distance=2.0)


def pairs(lengths: Sequence[float], atoms: int = 2) -> System:
    coords = np.zeros((len(lengths), atoms, 3))
    coords[:, 1, 2] = lengths
    coords[:, 2:, 0] = 5.0
    return System(
        "pairs", ("H",), np.zeros((len(lengths), atoms), dtype=np.int64), coords, None, None, None,
        None, np.arange(len(lengths)),
    )  # fmt: skip


class Spring:
    """A spring between the first two atoms; its length at rest is 1 Å."""

    type_map = ("H",)

    def __init__(self, stiffness: float) -> None:
        self.stiffness = stiffness
        self.sizes: list[int] = []

    def predict(self, system: System) -> Prediction:
        self.sizes.append(system.natoms)
        stretch = system.coords[:, 1, 2] - system.coords[:, 0, 2] - 1.0
        forces = np.zeros_like(system.coords)
        forces[:, 1, 2] = -self.stiffness * stretch
        forces[:, 0, 2] = self.stiffness * stretch
        n = system.nframes
        return Prediction(0.5 * self.stiffness * stretch**2, forces, np.zeros((n, 3, 3)))


class Lengths:
    """A descriptor space of one dimension: the length of the pair."""

    def points(self, system: System) -> FloatArray:
        return np.asarray(system.coords[:, 1, 2:3], dtype=np.float64)


def load(teacher: Predictor, doubts: Doubts):  # type: ignore[no-untyped-def]
    return lambda elements: (teacher, doubts)


def test_frames_get_the_teachers_labels_the_small_ones_first(tmp_path: Path) -> None:
    write_frames(tmp_path / "big", [pairs([1.5], atoms=4)])
    write_frames(tmp_path / "small", [pairs([1.1, 0.9])])
    teacher = Spring(2.0)
    asked = {"big": tmp_path / "big", "small": tmp_path / "small"}
    told = ask_teacher(asked, load(teacher, Doubts(LIMITS)), tmp_path / "out")
    assert teacher.sizes == [2, 4]
    assert told["asked"] == told["labelled"] == 3
    energies = np.concatenate([s.energies for s in stream_frames(tmp_path / "out")])
    assert sorted(energies) == pytest.approx([0.01, 0.01, 0.25], abs=1e-6)


def test_a_force_that_is_too_large_is_refused_and_the_counts_add_up(tmp_path: Path) -> None:
    write_frames(tmp_path / "in", [pairs([1.1, 9.0, float("inf")][:2])])
    told = ask_teacher({"in": tmp_path / "in"}, load(Spring(2.0), Doubts(LIMITS)), tmp_path / "out")
    assert told["labelled"] + len(told["rejected"]) == told["asked"] == 2
    assert told["rejected"][0]["kind"] == "a force is too large"
    kept = [s.nframes for s in stream_frames(tmp_path / "out" / "quarantine")]
    assert kept == [1]
    assert json.loads((tmp_path / "out/labelled.json").read_text()) == told


def test_no_label_where_the_teachers_committee_disagrees() -> None:
    doubts = Doubts(LIMITS, committee=[Spring(4.0)])
    frames = pairs([1.1, 1.9])
    reasons = doubts.of(frames, Spring(2.0).predict(frames).forces)
    assert reasons.tolist() == ["", "the teacher's committee disagrees"]


def test_no_label_far_from_the_teachers_data() -> None:
    known = np.linspace(0.9, 1.1, 21)[:, None]
    doubts = Doubts(LIMITS, space=Lengths(), known=known, usual=usual_distance(known))  # type: ignore[arg-type]
    frames = pairs([1.004, 1.115, 1.14])
    reasons = doubts.of(frames, np.zeros((3, 2, 3)))
    assert reasons.tolist() == ["", "", "far from the teacher's data"]


def test_a_teacher_that_gives_no_number_is_not_trusted() -> None:
    frames = pairs([1.0])
    assert Doubts(LIMITS).of(frames, np.full((1, 2, 3), np.nan))[0] == "a force is too large"


def test_the_usual_distance_is_that_to_the_nearest_other() -> None:
    assert usual_distance(np.array([[0.0], [1.0], [2.0], [3.0]])) == pytest.approx(1.0)
    assert usual_distance(np.array([[0.0]])) == 0.0


def test_a_teacher_is_not_loaded_for_nothing(tmp_path: Path) -> None:
    def never(elements: Sequence[str]) -> tuple[Predictor, Doubts]:
        raise AssertionError

    write_frames(tmp_path / "in", [])
    assert ask_teacher({"in": tmp_path / "in"}, never, tmp_path / "out")["asked"] == 0
