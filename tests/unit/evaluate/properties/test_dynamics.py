"""Trajectories with known answers."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT

from lamflow.evaluate.properties.dynamics import (
    diffusion_coefficient,
    energy_drift,
    md_speed,
    mean_squared_displacement,
    radial_distribution,
    survival_time,
)


class PushingEMT(EMT):
    """Forces that are no gradient: a little along the velocities' mean direction of each atom."""

    def calculate(self, *arguments, **names) -> None:
        super().calculate(*arguments, **names)
        momenta = self.atoms.get_momenta()
        self.results["forces"] = self.results["forces"] + 2e-3 * momenta


class Attraction(Calculator):
    """All atoms fall into one point."""

    implemented_properties = ("energy", "forces")

    def calculate(self, *arguments, **names) -> None:
        super().calculate(*arguments, **names)
        self.results = {"energy": 0.0, "forces": -5.0 * self.atoms.positions}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_rdf_of_a_crystal_counts_its_shells() -> None:
    """fcc has 12 neighbours at a/√2 and 6 at a."""
    lattice = 3.6
    atoms = bulk("Cu", "fcc", a=lattice)
    middles, found = radial_distribution([atoms, atoms], cutoff=4.0, bins=400)
    density = 4 / lattice**3
    counts = found * density * 4 * np.pi * middles**2 * (middles[1] - middles[0])
    first = middles < 3.0
    assert counts[first].sum() == pytest.approx(12, rel=1e-4)
    assert counts[~first].sum() == pytest.approx(6, rel=1e-4)
    assert middles[counts.argmax()] == pytest.approx(lattice / np.sqrt(2), abs=0.01)


def test_rdf_of_an_ideal_gas_is_one(rng: np.random.Generator) -> None:
    gas = [
        Atoms("Ar50", positions=rng.uniform(0, 12, (50, 3)), cell=np.eye(3) * 12, pbc=True)
        for _ in range(40)
    ]
    _, found = radial_distribution(gas, cutoff=8.0, bins=8)
    np.testing.assert_allclose(found[1:], 49 / 50, atol=0.06)


def test_msd_of_straight_motion() -> None:
    """Two atoms that fly apart with v: v²t²; what all do together does not count."""
    times = np.arange(5.0)
    velocities = np.array([[0.1, 0, 0], [-0.1, 0, 0]])
    positions = times[:, None, None] * (velocities + np.array([0, 3.0, 0]))
    np.testing.assert_allclose(mean_squared_displacement(positions), (0.1 * times) ** 2)


def test_diffusion_of_a_random_walk(rng: np.random.Generator) -> None:
    """Steps of variance s² per axis and fs: D = s²/2."""
    walks = np.cumsum(rng.normal(scale=0.2, size=(200, 2000, 3)), axis=0)
    found = diffusion_coefficient(np.arange(200.0), mean_squared_displacement(walks))
    assert found == pytest.approx(0.02, rel=0.08)


def test_energy_is_conserved_by_gradients_only(rng: np.random.Generator) -> None:
    atoms = bulk("Cu", cubic=True).repeat(2)
    common = {"temperature": 600.0, "steps": 150, "timestep": 2.0}
    good = energy_drift(atoms, EMT(), rng=rng, **common)
    bad = energy_drift(atoms, PushingEMT(), rng=rng, **common)
    assert abs(good.slope) < 1e-3
    assert good.spread < 1e-3
    assert bad.slope > 10 * abs(good.slope)


def test_survival(rng: np.random.Generator) -> None:
    atoms = bulk("Cu", cubic=True)
    common = {"temperature": 300.0, "timestep": 2.0, "rng": rng}
    assert survival_time(atoms, EMT(), steps=20, **common) == pytest.approx(0.04)
    assert survival_time(atoms, Attraction(), steps=200, **common) < 0.3


def test_speed_is_positive(rng: np.random.Generator) -> None:
    assert md_speed(bulk("Cu", cubic=True), EMT(), steps=3, rng=rng) > 0
