"""Which head, which references, which frames: with a model whose heads are plain functions."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_folders import write_model_folder

from lamflow.data.frames import System
from lamflow.data.writer import DatasetWriter
from lamflow.errors import InputError
from lamflow.evaluate.exam import Exam, examine_model
from lamflow.evaluate.predictor import Prediction
from lamflow.testing.trainer import emt_system
from lamflow.train.given import GivenModel

FORCE_ERROR = {"metal": 0.1, "other": 0.3}  # eV/Å
SHIFT = {"Cu": 2.0, "Au": -5.0}  # eV, of the head "metal"


class Head:
    """Knows the labels but for its force error and another zero of each element's energy."""

    type_map = ("Cu", "Au")

    def __init__(self, name: str) -> None:
        self.name = name

    def predict(self, system: System) -> Prediction:
        shift = system.counts() @ np.array([SHIFT[s] for s in system.type_map])
        assert system.energies is not None
        assert system.forces is not None
        assert system.virials is not None
        return Prediction(
            system.energies + shift, system.forces + FORCE_ERROR[self.name], system.virials
        )


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(GivenModel, "predictor", lambda self, head=None: Head(self.head(head)))
    return write_model_folder(tmp_path / "model", "metal", "other", type_map=("Cu",))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    with DatasetWriter(tmp_path / "data") as writer:
        for seed, elements in ((1, ("Cu", "Au")), (2, ("Au", "Cu"))):
            system = emt_system(10, seed=seed, elements=elements)
            writer.add(replace(system, name=f"source-{seed}", origins=system.origins + 100))
    return tmp_path / "data"


def examine(model: Path, dataset: Path, folder: Path, **exam: object) -> dict:
    return examine_model(model, dataset, None, folder, Exam(**exam))  # type: ignore[arg-type]


def test_a_heads_own_set_is_tested_whole_and_as_it_is(model, dataset, tmp_path) -> None:
    found = examine(model, dataset, tmp_path / "exam", name="metal")
    assert (found["head"], found["zero_shot"], found["frames"]) == ("metal", False, 20)
    assert found["energy_mae_meV_per_atom"] > 1000
    assert found["force_rmse_meV_per_A"] == pytest.approx(100.0)
    assert json.loads((tmp_path / "exam/errors.json").read_text()) == found


def test_another_set_gets_the_best_head_with_references_refitted(model, dataset, tmp_path) -> None:
    found = examine(model, dataset, tmp_path / "exam", name="alloys", fraction=0.4)
    assert (found["head"], found["zero_shot"]) == ("metal", True)
    assert (found["reference_frames"], found["frames"]) == (8, 12)
    assert found["energy_rmse_meV_per_atom"] == pytest.approx(0.0, abs=1e-6)
    details = json.loads((tmp_path / "exam/details.json").read_text())
    assert set(details["heads"]) == {"metal", "other"}
    assert details["untaught"] == ["Au"]


def test_a_named_head_keeps_its_references_unless_told_otherwise(model, dataset, tmp_path) -> None:
    kept = examine(model, dataset, tmp_path / "kept", name="alloys", head="other")
    assert (kept["head"], kept["zero_shot"], kept["frames"]) == ("other", False, 20)
    told = examine(model, dataset, tmp_path / "told", name="alloys", head="other",
                   references="refit")  # fmt: skip
    assert (told["head"], told["zero_shot"], told["frames"]) == ("other", True, 16)


def test_a_test_set_of_its_own_is_not_divided(model, dataset, tmp_path) -> None:
    found = examine_model(model, dataset, dataset, tmp_path / "exam", Exam("alloys"))
    assert (found["reference_frames"], found["frames"]) == (20, 20)


def test_worst_frames_are_named_by_their_source(model, dataset, tmp_path) -> None:
    examine(model, dataset, tmp_path / "exam", name="metal")
    worst = json.loads((tmp_path / "exam/details.json").read_text())["worst"]["force"]
    assert {row["system"] for row in worst} <= {"source-1", "source-2"}
    assert all(100 <= row["frame"] < 110 for row in worst)


def test_a_head_that_is_not_there_and_a_set_too_small(model, dataset, tmp_path) -> None:
    with pytest.raises(InputError, match="no head 'nil'; it has metal, other"):
        examine(model, dataset, tmp_path / "exam", name="x", head="nil")
    with DatasetWriter(tmp_path / "one") as writer:
        writer.add(emt_system(1, seed=1))
    with pytest.raises(InputError, match="has one frame, too few to fit references"):
        examine(model, tmp_path / "one", tmp_path / "exam", name="x")
