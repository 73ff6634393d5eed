"""Known answers: models that know everything but where energies begin, or are off by a factor."""

from pathlib import Path

import numpy as np
import pytest

from lamflow.errors import InputError
from lamflow.evaluate.old_heads import chosen_head, old_head_errors, zero_shot_table
from lamflow.evaluate.predictor import Prediction
from lamflow.testing.trainer import emt_system, write_dataset


class Scaled:
    """Answers with the true labels of EMT, forces times a factor, energies shifted."""

    type_map = ("Cu", "Au")

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def predict(self, system):
        shifted = system.energies + 2.0 * system.natoms
        return Prediction(shifted, self.factor * system.forces, system.virials)


class Model:
    """Heads by name; each is off by a factor."""

    type_map = ("Cu", "Au")

    def __init__(self, **factors: float) -> None:
        self.factors = factors
        self.heads = tuple(factors)

    def predictor(self, head):
        return Scaled(self.factors[head])


@pytest.fixture
def train(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "train", emt_system(6, seed=1))


@pytest.fixture
def test(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "test", emt_system(4, seed=2))


def test_best_head_is_found_and_energies_are_refitted(train: Path, test: Path) -> None:
    table = zero_shot_table(Model(far=1.5, near=1.1), train, test)
    assert table["best"] == "near"
    assert table["unknown"] == []
    near = table["heads"]["near"]
    assert near["energy_rmse_meV_per_atom"] == pytest.approx(0, abs=1e-3)  # float32 coordinates
    size = np.sqrt(np.mean(emt_system(4, seed=2).forces ** 2))
    assert near["force_rmse_meV_per_A"] == pytest.approx(0.1 * 1000 * size, rel=1e-5)


def test_frames_with_new_elements_are_left_out(train: Path, tmp_path: Path) -> None:
    nickel = write_dataset(tmp_path / "nickel", emt_system(3, seed=3, elements=("Ni", "Cu")))
    table = zero_shot_table(Model(old=1.1), train, nickel)
    assert (table["best"], table["unknown"], table["left_out"]) == (None, ["Ni"], 3)
    assert chosen_head("best", table, ("only",)) == "only"
    assert chosen_head("fresh", table, ("a", "b")) == "fresh"
    with pytest.raises(InputError, match=r"best is not to be found: .*\(Ni\); name one of a, b"):
        chosen_head("best", table, ("a", "b"))


def test_an_old_head_is_compared_with_itself_if_it_was_kept(test: Path) -> None:
    old = old_head_errors(Model(a=1.1), Model(a=1.2, new=1.0), "a", "new", test)
    assert old["with"] == "a"
    before, after = (old[when]["force_rmse_meV_per_A"] for when in ("before", "after"))
    assert after == pytest.approx(2 * before)
    assert old["after"]["energy_rmse_meV_per_atom"] == pytest.approx(2000)


def test_a_dropped_head_is_stood_in_for_with_energies_refitted(test: Path) -> None:
    old = old_head_errors(Model(a=1.1), Model(new=1.3), "a", "new", test)
    assert old["with"] == "new"
    assert old["after"]["energy_rmse_meV_per_atom"] == pytest.approx(0, abs=1e-3)
