# ruff: noqa: S101 - tests assert
"""What every labeller must pass: subclass `LabellerConformance` in a pytest module.

```python
class TestMyLabeller(LabellerConformance):
    crystal = bulk("Cu", cubic=True)
    molecule = molecule("H2O")
    unknown_element = "Og"

    def make_labeller(self) -> Labeller:
        return MyLabeller(MySettings())

    def make_unconverged(self) -> Labeller:
        return MyLabeller(MySettings(max_cycles=2))
```

Each derivative is checked along one random direction, so that it costs two energies.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pydantic import ValidationError

from lamflow.data.frames import FloatArray
from lamflow.errors import InputError
from lamflow.label.protocol import Label, Labeller, UnconvergedError
from lamflow.label.read import label_atoms

if TYPE_CHECKING:
    from ase import Atoms

_RATTLE_A = 0.05


class LabellerConformance:
    """Physics, units and failures of a labeller.

    Attributes
    ----------
    crystal, molecule
        Small frames to label; None where the labeller can't treat such.
    unknown_element
        One that the labeller must refuse; empty if it knows all.
    energy_change
        Two frames, the known energy of the second minus that of the first in eV, and how close
        the labeller should come: a check of the unit.
    force_tolerance_eV_per_A, virial_tolerance_eV
        How far forces and virials may be from finite differences.
    step_A, strain
        Length of the steps of the finite differences.
    """

    crystal: ClassVar["Atoms | None"] = None
    molecule: ClassVar["Atoms | None"] = None
    unknown_element: ClassVar[str] = "Og"
    energy_change: ClassVar["tuple[Atoms, Atoms, float, float] | None"] = None
    force_tolerance_eV_per_A: ClassVar[float] = 1e-3  # noqa: N815
    virial_tolerance_eV: ClassVar[float] = 1e-2  # noqa: N815
    step_A: ClassVar[float] = 2e-3  # noqa: N815
    strain: ClassVar[float] = 1e-3

    def make_labeller(self) -> Labeller:
        """Make the labeller with settings good enough for the tolerances."""
        raise NotImplementedError

    def make_unconverged(self) -> Labeller | None:
        """Make one that can't converge, such as by too few cycles; None if nothing iterates."""
        raise NotImplementedError

    @pytest.fixture
    def rng(self) -> np.random.Generator:
        """Give the same random numbers to every test."""
        return np.random.default_rng(7)

    @pytest.fixture(params=["crystal", "molecule"])
    def frame(self, request: pytest.FixtureRequest, rng: np.random.Generator) -> "Atoms":
        """Give the crystal and the molecule, away from their symmetric positions."""
        return _rattled(self._sample(request.param), rng)

    def _sample(self, name: str) -> "Atoms":
        sample: Atoms | None = getattr(self, name)
        if sample is None:
            pytest.skip(f"this labeller has no {name}")
        return sample

    def _label(self, atoms: "Atoms", folder: Path, name: str) -> Label:
        place = folder / name
        place.mkdir()
        return label_atoms(self.make_labeller(), atoms, place)

    def test_forces_are_minus_the_energy_gradient(
        self, frame: "Atoms", rng: np.random.Generator, tmp_path: Path
    ) -> None:
        """F·d = −(E(x + h·d) − E(x − h·d)) / 2h."""
        label = self._label(frame, tmp_path, "here")
        direction = rng.normal(size=(len(frame), 3))
        direction /= np.linalg.norm(direction)
        energies = []
        for name, sign in (("ahead", 1), ("behind", -1)):
            moved = frame.copy()
            moved.positions += sign * self.step_A * direction
            energies.append(self._label(moved, tmp_path, name).energy)
        slope = (energies[0] - energies[1]) / (2 * self.step_A)
        assert label.forces.shape == (len(frame), 3)
        assert_allclose(
            np.sum(label.forces * direction), -slope, rtol=0, atol=self.force_tolerance_eV_per_A
        )

    def test_virial_is_minus_the_strain_derivative(
        self, rng: np.random.Generator, tmp_path: Path
    ) -> None:
        """W:S = −(E(1 + h·S) − E(1 − h·S)) / 2h, for symmetric S; molecules have no virial."""
        crystal = _rattled(self._sample("crystal"), rng)
        virial = self._label(crystal, tmp_path, "here").virial
        assert virial is not None
        assert_allclose(virial, virial.T, rtol=0, atol=1e-6)
        direction = rng.normal(size=(3, 3))
        direction = (direction + direction.T) / np.linalg.norm(direction + direction.T)
        energies = [
            self._label(_strained(crystal, sign * self.strain * direction), tmp_path, name).energy
            for name, sign in (("ahead", 1), ("behind", -1))
        ]
        slope = (energies[0] - energies[1]) / (2 * self.strain)
        assert_allclose(np.sum(virial * direction), -slope, rtol=0, atol=self.virial_tolerance_eV)

    def test_a_molecule_has_no_virial(self, tmp_path: Path) -> None:
        """The virial of a molecule in a box means nothing."""
        assert self._label(self._sample("molecule"), tmp_path, "here").virial is None

    def test_the_order_of_atoms_does_not_matter(
        self, frame: "Atoms", rng: np.random.Generator, tmp_path: Path
    ) -> None:
        """Forces come in the order of the frame's atoms."""
        order = rng.permutation(len(frame))
        label = self._label(frame, tmp_path, "here")
        shuffled = self._label(frame[order], tmp_path, "shuffled")
        tolerance = self.force_tolerance_eV_per_A
        assert_allclose(shuffled.energy, label.energy, rtol=0, atol=tolerance)
        assert_allclose(shuffled.forces, label.forces[order], rtol=0, atol=tolerance)

    def test_forces_and_virial_turn_with_the_crystal(
        self, rng: np.random.Generator, tmp_path: Path
    ) -> None:
        """The labels are those of the cell as it is given, however it lies in space."""
        crystal = _rattled(self._sample("crystal"), rng)
        turn = _rotation(rng)
        turned = crystal.copy()
        turned.set_cell(crystal.cell.array @ turn.T, scale_atoms=False)
        turned.positions = crystal.positions @ turn.T
        before = self._label(crystal, tmp_path, "here")
        after = self._label(turned, tmp_path, "turned")
        assert before.virial is not None
        assert after.virial is not None
        assert_allclose(
            after.forces, before.forces @ turn.T, rtol=0, atol=2 * self.force_tolerance_eV_per_A
        )
        assert_allclose(
            after.virial, turn @ before.virial @ turn.T, rtol=0, atol=2 * self.virial_tolerance_eV
        )

    def test_energies_are_in_electronvolt(self, tmp_path: Path) -> None:
        """A known energy difference comes out."""
        if self.energy_change is None:
            pytest.skip("no known energy is given")
        first, second, expected, tolerance = self.energy_change
        change = (
            self._label(second, tmp_path, "second").energy
            - self._label(first, tmp_path, "first").energy
        )
        assert_allclose(change, expected, rtol=0, atol=tolerance)

    def test_the_frame_is_left_as_it_was(self, frame: "Atoms", tmp_path: Path) -> None:
        """Labelling moves no atom and sets no cell of its input."""
        before = frame.copy()
        self._label(frame, tmp_path, "here")
        assert frame == before

    def test_convergence_is_told(self, frame: "Atoms", tmp_path: Path) -> None:
        """Every label says how its convergence was seen."""
        assert self._label(frame, tmp_path, "here").evidence

    def test_unconverged_is_never_a_label(self, frame: "Atoms", tmp_path: Path) -> None:
        """Too few cycles end in `UnconvergedError`."""
        labeller = self.make_unconverged()
        if labeller is None:
            pytest.skip("nothing iterates")
        with pytest.raises(UnconvergedError):
            label_atoms(labeller, frame, tmp_path)

    def test_gentle_settings_give_the_same_label(self, frame: "Atoms", tmp_path: Path) -> None:
        """Softer mixing changes the way, not the end."""
        label = self._label(frame, tmp_path, "here")
        place = tmp_path / "gentle"
        place.mkdir()
        gentle = label_atoms(self.make_labeller(), frame, place, gentle=True)
        assert_allclose(gentle.energy, label.energy, rtol=0, atol=self.force_tolerance_eV_per_A)

    def test_an_unknown_element_is_refused_before_anything_runs(self) -> None:
        """The message names the element."""
        if not self.unknown_element:
            pytest.skip("the labeller knows all elements")
        with pytest.raises(InputError, match=self.unknown_element):
            self.make_labeller().check([self.unknown_element], self.crystal is not None)

    def test_known_elements_pass(self, frame: "Atoms") -> None:
        """The samples' elements are accepted."""
        elements: Sequence[str] = sorted(set(frame.symbols))
        self.make_labeller().check(elements, bool(frame.pbc.any()))

    def test_unknown_settings_are_refused(self) -> None:
        """A setting with a typing mistake is no default."""
        with pytest.raises(ValidationError, match="no_such_setting"):
            self.make_labeller().settings_type.model_validate({"no_such_setting": 1})

    def test_identity_is_json_and_stays(self, frame: "Atoms") -> None:
        """The same settings give the same key of the cache."""
        elements = sorted(set(frame.symbols))
        first, second = (self.make_labeller().identity(elements) for _ in range(2))
        assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def _rattled(atoms: "Atoms", rng: np.random.Generator) -> "Atoms":
    moved = atoms.copy()
    moved.positions += rng.normal(0, _RATTLE_A, moved.positions.shape)
    return moved


def _strained(atoms: "Atoms", strain: FloatArray) -> "Atoms":
    moved = atoms.copy()
    moved.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return moved


def _rotation(rng: np.random.Generator) -> FloatArray:
    """Return a random proper rotation, (3, 3)."""
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return np.asarray(turn * np.sign(np.linalg.det(turn)), dtype=np.float64)
