import numpy as np
import pytest

from lamflow.data.references import Baseline, References
from lamflow.errors import InputError
from lamflow.evaluate.forgetting import forgetting
from lamflow.evaluate.predictor import Prediction
from lamflow.evaluate.zero_shot import refit_references, refit_residuals, zero_shot_errors
from lamflow.testing.trainer import emt_system

SHIFT = {"Cu": 7.5, "Au": -130.0}


class OtherReferences:
    """Knows everything but where the elements' energies begin; in another order of elements."""

    type_map = ("Au", "Ni", "Cu")

    def predict(self, system):
        shift = system.counts() @ np.array([SHIFT[s] for s in system.type_map])
        return Prediction(system.energies - shift, system.forces, system.virials)


def mixed():
    return [emt_system(2, seed=1), emt_system(2, seed=2, elements=("Au", "Cu"))]


def test_shift_of_each_element_is_found():
    shift = refit_references(OtherReferences(), mixed()).shift
    found = dict(zip(shift.elements, shift.energies, strict=True))
    assert found["Cu"] == pytest.approx(SHIFT["Cu"])
    assert found["Au"] == pytest.approx(SHIFT["Au"])


def test_errors_are_without_the_shift():
    baseline = Baseline(References(("Cu", "Au"), np.zeros(2), 2, ()))
    errors = zero_shot_errors(OtherReferences(), mixed(), [emt_system(3, seed=5)], baseline)
    assert errors["energy_rmse_meV_per_atom"] == pytest.approx(0.0, abs=1e-6)
    assert errors["force_rmse_meV_per_A"] == 0.0


def test_frames_without_energies_cannot_refit():
    with pytest.raises(InputError, match="no frame has an energy"):
        refit_references(OtherReferences(), [])


def errors(force, frames=10):
    return {"frames": frames, "force_rmse_meV_per_A": force, "virial_rmse_meV_per_atom": None}


def test_worst_forgetting_comes_first():
    found = forgetting(
        {"a": errors(100.0), "b": errors(100.0)}, {"a": errors(90.0), "b": errors(300.0)}
    )
    assert [(one.head, one.ratio) for one in found] == [("b", 3.0), ("a", 0.9)]


def test_heads_must_be_tested_again_on_the_same_frames():
    with pytest.raises(InputError, match=r"heads.a: was not tested after fine-tuning"):
        forgetting({"a": errors(1.0)}, {})
    with pytest.raises(InputError, match="9 frames after and 10 before"):
        forgetting({"a": errors(1.0)}, {"a": errors(1.0, frames=9)})


def compositions(counts):
    return [f"{a}-{b}" for a, b in counts]


def test_refit_leaves_what_elements_do_not_explain():
    counts = np.array([[2, 1], [1, 2], [3, 3], [1, 1]] * 5)
    error = np.random.default_rng(1).normal(scale=0.01, size=20)
    missing = counts @ np.array([-13.6, -430.0]) + error * counts.sum(axis=1)
    found = refit_residuals(counts, missing, compositions(counts))
    assert np.abs(found - error).max() < 0.03
    assert found.std() < 2 * error.std()


def test_one_wild_energy_does_not_bend_the_others():
    counts = np.array([[2, 1], [1, 2], [3, 3], [1, 1]] * 5)
    missing = counts @ np.array([-13.6, -430.0])
    missing[4] += 5000.0
    found = refit_residuals(counts, missing, compositions(counts))
    assert found[4] == pytest.approx(5000.0 / 3)
    assert np.abs(np.delete(found, 4)).max() < 1e-6


def test_compositions_that_come_once_are_judged_where_the_others_fix_them():
    counts = np.array([[n, 20 - n] for n in range(1, 19)])
    missing = counts @ np.array([-13.6, -430.0])
    missing[7] += 4.0
    found = refit_residuals(counts, missing, compositions(counts))
    assert found[7] == pytest.approx(0.2)
    assert np.abs(np.delete(found, 7)).max() < 1e-5


def test_a_composition_that_the_others_do_not_fix_is_not_judged():
    counts = np.array([[2, 1]] * 10 + [[7, 0]])
    found = refit_residuals(counts, np.ones(11), compositions(counts))
    assert np.isnan(found[10])
    assert np.isfinite(found[:10]).all()


def test_few_energies_are_not_judged():
    counts = np.array([[2, 1]] * 6)
    assert np.isnan(refit_residuals(counts, np.ones(6), compositions(counts))).all()
