import numpy as np
import pytest

from lamflow.data.frames import System
from lamflow.errors import InputError
from lamflow.evaluate.predictor import Prediction
from lamflow.select.deviation import (
    Deviation,
    committee_deviation,
    force_deviation,
    virial_deviation,
)


class Spring:
    """Pulls each atom to the origin: F = −k x."""

    type_map = ("H",)

    def __init__(self, k: float) -> None:
        self.k = k

    def predict(self, system: System) -> Prediction:
        virials = np.full((system.nframes, 3, 3), self.k)
        return Prediction(np.zeros(system.nframes), -self.k * system.coords, virials)


def frames(nframes: int, natoms: int = 2, periodic: bool = False) -> System:
    coords = np.zeros((nframes, natoms, 3))
    coords[:, 0, 0] = 1 + np.arange(nframes)
    return System(
        "f", ("H",), np.zeros((nframes, natoms), dtype=np.int64), coords,
        np.tile(np.eye(3) * 9, (nframes, 1, 1)) if periodic else None,
        None, None, None, np.arange(nframes),
    )  # fmt: skip


def test_two_members_deviate_by_half_of_their_difference() -> None:
    forces = np.zeros((2, 1, 3, 3))
    forces[0, 0, 1] = [3.0, 4.0, 0.0]  # members differ by 5 eV/Å on atom 1 only
    assert force_deviation(forces).tolist() == [[0.0, 2.5, 0.0]]


def test_deviation_does_not_change_with_the_order_of_members_and_a_common_shift() -> None:
    forces = np.random.default_rng(1).normal(size=(4, 3, 5, 3))
    same = force_deviation(forces[::-1] + 7.0)
    np.testing.assert_allclose(same, force_deviation(forces), atol=1e-12)


def test_deviation_of_gaussian_members_is_their_spread() -> None:
    forces = np.random.default_rng(2).normal(scale=0.1, size=(4000, 1, 1, 3))
    assert force_deviation(forces)[0, 0] == pytest.approx(0.1 * np.sqrt(3), rel=0.03)


def test_virial_is_per_atom() -> None:
    virials = np.stack([np.zeros((1, 3, 3)), np.full((1, 3, 3), 8.0)])
    assert virial_deviation(virials, natoms=4).tolist() == [1.0]


def test_committee_streams_systems_and_finds_the_worst_atom() -> None:
    parts = list(committee_deviation([Spring(1.0), Spring(3.0)], [frames(2), frames(1, 3, True)]))
    assert [system.nframes for system, _ in parts] == [2, 1]
    whole = Deviation.join([deviation for _, deviation in parts])
    np.testing.assert_allclose(whole.force_max, [1.0, 2.0, 1.0])
    np.testing.assert_allclose(whole.force_mean, [0.5, 1.0, 1 / 3])
    np.testing.assert_allclose(whole.virial, [np.nan, np.nan, 1 / 3])


def test_one_member_is_no_committee() -> None:
    with pytest.raises(InputError, match="two members"):
        next(committee_deviation([Spring(1.0)], [frames(1)]))
