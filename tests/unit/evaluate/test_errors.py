from dataclasses import replace

import numpy as np
import pytest

from lamflow.data.references import Baseline, References
from lamflow.errors import InputError
from lamflow.evaluate.errors import Parity, head_errors
from lamflow.evaluate.predictor import Prediction
from lamflow.testing.trainer import emt_system


class Offset:
    """A model that is wrong by known amounts: eV per frame, eV/Å, eV."""

    type_map = ("Cu", "Au")

    def __init__(self, energy=0.0, force=0.0, virial=0.0):
        self.offsets = energy, force, virial

    def predict(self, system):
        energy, force, virial = self.offsets
        return Prediction(
            system.energies + energy, system.forces + force, virials_of(system) + virial
        )


def virials_of(system):
    return np.zeros((system.nframes, 3, 3)) if system.virials is None else system.virials


BASELINE = Baseline(References(("Cu", "Au"), np.zeros(2), 2, ()))


def test_units_are_milli_and_per_atom():
    system = emt_system(3, seed=1)
    found = head_errors(Offset(energy=-8 * 0.002, force=0.1, virial=8 * 0.005), [system], BASELINE)
    assert found["frames"] == 3
    assert found["energy_rmse_meV_per_atom"] == pytest.approx(2.0)
    assert found["energy_mae_meV_per_atom"] == pytest.approx(2.0)
    assert found["force_rmse_meV_per_A"] == pytest.approx(100.0)
    assert found["virial_rmse_meV_per_atom"] == pytest.approx(5.0)


def test_baseline_has_the_size_of_the_labels():
    system = emt_system(3, seed=1)
    found = head_errors(Offset(), [system], BASELINE)["baseline"]
    assert found["force_rmse_meV_per_A"] == pytest.approx(1000 * np.sqrt((system.forces**2).mean()))
    assert found["energy_mae_meV_per_atom"] == pytest.approx(1000 * abs(system.energies / 8).mean())


def test_parts_give_what_the_whole_gives():
    system = emt_system(6, seed=2)
    model = Offset(energy=0.3, force=0.1)
    whole = head_errors(model, [system], BASELINE)
    parts = head_errors(model, [system.take([0]), system.take([1, 2, 3, 4, 5])], BASELINE)
    assert parts.pop("baseline") == pytest.approx(whole.pop("baseline"))
    assert parts == pytest.approx(whole)


def test_labels_that_are_missing_have_no_error():
    system = replace(emt_system(2, seed=3), virials=None)
    found = head_errors(Offset(energy=1.0), [system], BASELINE)
    assert found["virial_rmse_meV_per_atom"] is None
    assert found["baseline"]["virial_rmse_meV_per_atom"] is None


def test_no_frames_is_an_input_error():
    with pytest.raises(InputError, match="no frames to test"):
        head_errors(Offset(), [], BASELINE)


def test_parity_points_are_few_and_the_same_each_time():
    system = emt_system(20, seed=4)

    def sample():
        parity = Parity(np.random.default_rng(0), points=100)
        head_errors(
            Offset(force=0.5), [system.take([i]) for i in range(20)], BASELINE, parity=parity
        )
        return parity.arrays()

    one, two = sample(), sample()
    assert one["force"].shape == (100, 2)
    assert one["energy"].shape == (20, 2)
    np.testing.assert_array_equal(one["force"], two["force"])
    np.testing.assert_allclose(one["force"][:, 1] - one["force"][:, 0], 0.5, atol=1e-5)
    known = system.forces.astype(np.float32).ravel()
    assert np.isin(one["force"][:, 0], known).all()
