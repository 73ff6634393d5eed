from pathlib import Path

import numpy as np
import pytest
from model_folders import write_model_folder

from lamflow.data.card import make_card, write_card
from lamflow.data.writer import DatasetWriter
from lamflow.errors import InputError
from lamflow.files import write_json
from lamflow.testing.trainer import emt_system
from lamflow.train.model_card import CARD, read_model_card
from lamflow.train.training_data import find_training_data


def run_folder(folder: Path) -> Path:
    """Write a run with a model of two heads, of which one has its training data still."""
    parts = folder / "steps/split-water-0a1b/outputs/parts"
    with DatasetWriter(parts / "train") as writer:
        writer.add(emt_system(2, seed=1))
    card = make_card(parts / "train", "water-train")
    write_card(parts / "train", card)
    model = write_model_folder(folder / "result/model", "water", "gone")
    heads = read_model_card(model).model_dump(mode="json")
    heads["heads"]["water"]["sha256"] = card.sha256
    write_json(model / CARD, heads)
    return model


def test_training_data_are_found_by_hash_in_the_run(tmp_path: Path) -> None:
    model = run_folder(tmp_path)
    parts = tmp_path / "steps/split-water-0a1b/outputs/parts"
    assert find_training_data(model) == {"water": parts}


def test_other_data_are_not_taken(tmp_path: Path) -> None:
    model = run_folder(tmp_path)
    (energies,) = tmp_path.glob("steps/**/energy.npy")
    np.save(energies, np.zeros(2))
    write_card(energies.parents[2], make_card(energies.parents[2], "water-train"))
    with pytest.raises(InputError, match=r"not here; name it in training: \[\{name"):
        find_training_data(model)


def test_a_model_outside_of_a_run_needs_them_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="training: what the model was trained on is not here"):
        find_training_data(write_model_folder(tmp_path / "model", "water"))
