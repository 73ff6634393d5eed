# ruff: noqa: S101 - tests assert
"""What every trainer must pass: subclass `TrainerConformance` in a pytest module.

```python
class TestMyTrainer(TrainerConformance):
    model = {"descriptor": ..., "fitting_net": ...}  # small, in float64

    def make_trainer(self) -> Trainer:
        return MyTrainer()

    def make_predictor(self, model: Path) -> Predictor:
        return MyPredictor(model)
```

The data are computed here, with ASE's effective medium theory; training takes about a minute.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from lamflow.data.frames import FloatArray, System
from lamflow.data.writer import DatasetWriter
from lamflow.errors import InputError
from lamflow.evaluate.predictor import Predictor
from lamflow.train.protocol import Head, Trainer, TrainJob, TrainResult, TrainSettings

STEPS = 20
SAVE_EVERY = 5
_AT_ONCE_S = 2.0
_STEP_A = 1e-3
_STRAIN = 1e-4
TYPE_MAP = ("Cu", "Au", "Ni")  # one element more than the data have


def emt_system(nframes: int, seed: int, elements: tuple[str, str] = ("Cu", "Au")) -> System:
    """Compute rattled and strained fcc cells of 8 atoms with ASE's EMT: energy, force, virial."""
    from ase.build import bulk
    from ase.calculators.emt import EMT

    rng = np.random.default_rng(seed)
    start = bulk(elements[0], "fcc", a=3.8, cubic=True).repeat((2, 1, 1))
    start.symbols[::3] = elements[1]
    frames = []
    for _ in range(nframes):
        atoms = start.copy()
        atoms.set_cell(atoms.cell @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), scale_atoms=True)
        atoms.positions += rng.normal(0, 0.1, atoms.positions.shape)
        atoms.calc = EMT()
        frames.append(atoms)
    type_map = tuple(elements)
    stresses = np.array([atoms.get_stress(voigt=False) for atoms in frames])
    volumes = np.array([atoms.get_volume() for atoms in frames])
    return System(
        name="emt",
        type_map=type_map,
        types=np.array([[type_map.index(s) for s in atoms.symbols] for atoms in frames]),
        coords=np.array([atoms.positions for atoms in frames]),
        cells=np.array([atoms.cell.array for atoms in frames]),
        energies=np.array([atoms.get_potential_energy() for atoms in frames]),
        forces=np.array([atoms.get_forces() for atoms in frames]),
        virials=-volumes[:, None, None] * stresses,
        origins=np.arange(nframes),
    )


def write_dataset(folder: Path, system: System) -> Path:
    """Write a system as a dataset."""
    with DatasetWriter(folder) as writer:
        writer.add(system)
    return folder


@dataclass
class Recorder:
    """A progress callback that remembers, and can break a run off."""

    steps: list[float]
    values: list[Mapping[str, float | str]]
    stop_after: float = float("inf")

    def __call__(self, done: float, total: float, values: Mapping[str, float | str]) -> None:
        """Remember; KeyboardInterrupt once `stop_after` steps are done."""
        self.steps.append(done)
        self.values.append(values)
        if done >= self.stop_after:
            raise KeyboardInterrupt


class TrainerConformance:
    """Tests that a trainer passes; see the module's text for how to use it."""

    model: ClassVar[Mapping[str, Any]]

    def make_trainer(self) -> Trainer:
        """Give the trainer under test."""
        raise NotImplementedError

    def make_predictor(self, model: Path) -> Predictor:
        """Give a predictor for a frozen model."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    def jobs(self, tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrainJob]:
        """A job with two heads and one with a single head."""
        data = tmp_path_factory.mktemp("data")
        one = write_dataset(data / "one", emt_system(8, seed=1))
        two = write_dataset(data / "two", emt_system(8, seed=2, elements=("Au", "Cu")))
        validation = write_dataset(data / "validation", emt_system(2, seed=3))
        settings = TrainSettings(
            steps=STEPS, batch=1, seed=7, save_every=SAVE_EVERY, report_every=1, threads=1
        )
        heads = (Head("Alloy-1", one, validation, 2.0), Head("alloy_two", two, None, 1.0))
        return {
            "multi": TrainJob(heads, self.model, TYPE_MAP, settings),
            "single": TrainJob(heads[:1], self.model, TYPE_MAP, settings),
        }

    @pytest.fixture(scope="class")
    def multi(
        self, jobs: dict[str, TrainJob], tmp_path_factory: pytest.TempPathFactory
    ) -> tuple[Path, TrainResult, Recorder]:
        """Folder, result and progress of an undisturbed run with two heads."""
        folder, recorder = tmp_path_factory.mktemp("multi"), Recorder([], [])
        return folder, self.make_trainer().train(jobs["multi"], folder, recorder), recorder

    @pytest.fixture(scope="class")
    def predictor(self, multi: tuple[Path, TrainResult, Recorder]) -> Predictor:
        """The first head's model."""
        return self.make_predictor(multi[1].frozen["Alloy-1"])

    def test_result_is_complete(
        self, jobs: dict[str, TrainJob], multi: tuple[Path, TrainResult, Recorder]
    ) -> None:
        """All files are there, a frozen model per head, all steps done."""
        _, result, _ = multi
        assert set(result.frozen) == {head.name for head in jobs["multi"].heads}
        assert all(
            path.is_file()
            for path in (result.checkpoint, result.curve, result.input, *result.frozen.values())
        )
        assert result.steps == STEPS
        assert result.seconds > 0

    def test_progress_is_told(self, multi: tuple[Path, TrainResult, Recorder]) -> None:
        """Steps grow to the last one and come with numbers."""
        recorder = multi[2]
        assert recorder.steps == sorted(recorder.steps)
        assert recorder.steps[-1] == STEPS
        assert recorder.values[-1]

    def test_finished_job_returns_at_once(
        self, jobs: dict[str, TrainJob], multi: tuple[Path, TrainResult, Recorder]
    ) -> None:
        """Nothing is trained twice."""
        folder, result, _ = multi
        started = time.monotonic()
        assert self.make_trainer().train(jobs["multi"], folder) == result
        assert time.monotonic() - started < _AT_ONCE_S

    def test_folder_of_another_job_is_refused(
        self, jobs: dict[str, TrainJob], multi: tuple[Path, TrainResult, Recorder]
    ) -> None:
        """A result is never mistaken for another job's."""
        other = replace(jobs["multi"], settings=replace(jobs["multi"].settings, seed=8))
        with pytest.raises(InputError, match="another training job"):
            self.make_trainer().train(other, multi[0])

    def test_unusable_heads_are_refused(self, jobs: dict[str, TrainJob], tmp_path: Path) -> None:
        """Doubled names and useless weights are input errors, and nothing is written."""
        head = jobs["single"].heads[0]
        for heads in ([], [head, head], [replace(head, weight=0.0)]):
            with pytest.raises(InputError):
                self.make_trainer().train(replace(jobs["single"], heads=heads), tmp_path / "x")
        assert not (tmp_path / "x").exists()

    def test_broken_off_run_goes_on(self, jobs: dict[str, TrainJob], tmp_path: Path) -> None:
        """After an interruption the run starts from its checkpoint, not from 0."""
        with pytest.raises(KeyboardInterrupt):
            self.make_trainer().train(
                jobs["single"], tmp_path, Recorder([], [], stop_after=SAVE_EVERY + 3)
            )
        recorder = Recorder([], [])
        result = self.make_trainer().train(jobs["single"], tmp_path, recorder)
        assert result.steps == STEPS
        assert recorder.steps[0] >= SAVE_EVERY

    def test_same_seed_gives_the_same_model(
        self, jobs: dict[str, TrainJob], predictor: Predictor, tmp_path: Path
    ) -> None:
        """A run can be repeated."""
        again = self.make_trainer().train(jobs["multi"], tmp_path)
        frame = emt_system(2, seed=11)
        one = predictor.predict(frame)
        two = self.make_predictor(again.frozen["Alloy-1"]).predict(frame)
        np.testing.assert_allclose(two.energies, one.energies, rtol=1e-9)
        np.testing.assert_allclose(two.forces, one.forces, atol=1e-7)

    def test_heads_differ(
        self, predictor: Predictor, multi: tuple[Path, TrainResult, Recorder]
    ) -> None:
        """Each head is a model of its own."""
        frame = emt_system(1, seed=11)
        other = self.make_predictor(multi[1].frozen["alloy_two"]).predict(frame)
        assert not np.allclose(other.energies, predictor.predict(frame).energies, atol=1e-6)

    def test_permutation(self, predictor: Predictor) -> None:
        """The order of atoms does not matter."""
        frame = emt_system(1, seed=12)
        order = np.random.default_rng(0).permutation(frame.natoms)
        shuffled = replace(frame, types=frame.types[:, order], coords=frame.coords[:, order])
        one, two = predictor.predict(frame), predictor.predict(shuffled)
        np.testing.assert_allclose(two.energies, one.energies, atol=1e-7)
        np.testing.assert_allclose(two.forces, one.forces[:, order], atol=1e-6)

    def test_translation(self, predictor: Predictor) -> None:
        """Nor where the crystal is, also across the cell's faces."""
        frame = emt_system(1, seed=13)
        one = predictor.predict(frame)
        two = predictor.predict(replace(frame, coords=frame.coords + np.array([1.1, 2.2, -3.3])))
        np.testing.assert_allclose(two.energies, one.energies, atol=1e-7)
        np.testing.assert_allclose(two.forces, one.forces, atol=1e-6)

    def test_rotation(self, predictor: Predictor) -> None:
        """Turning the crystal turns forces and virial with it."""
        frame = emt_system(1, seed=14)
        turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
        turned = replace(frame, coords=frame.coords @ turn.T, cells=_cells(frame) @ turn.T)
        one, two = predictor.predict(frame), predictor.predict(turned)
        np.testing.assert_allclose(two.energies, one.energies, atol=1e-7)
        np.testing.assert_allclose(two.forces, one.forces @ turn.T, atol=1e-6)
        np.testing.assert_allclose(two.virials, turn @ one.virials @ turn.T, atol=1e-5)

    def test_force_is_minus_the_gradient(self, predictor: Predictor) -> None:
        """Central differences of the energy."""
        frame = emt_system(1, seed=15)
        forces = predictor.predict(frame).forces[0]
        for atom, axis in ((0, 0), (3, 1), (7, 2)):
            step = np.zeros_like(frame.coords)
            step[0, atom, axis] = _STEP_A
            up = predictor.predict(replace(frame, coords=frame.coords + step)).energies[0]
            down = predictor.predict(replace(frame, coords=frame.coords - step)).energies[0]
            assert forces[atom, axis] == pytest.approx(-(up - down) / (2 * _STEP_A), abs=1e-4)

    def test_virial_is_minus_the_strain_derivative(self, predictor: Predictor) -> None:
        """−dE/dε by central differences, for a stretch and a shear."""
        frame = emt_system(1, seed=16)
        virial = predictor.predict(frame).virials[0]
        for row, column in ((0, 0), (1, 2)):
            strain = np.zeros((3, 3))
            strain[row, column] = strain[column, row] = _STRAIN
            up = predictor.predict(_strained(frame, strain)).energies[0]
            down = predictor.predict(_strained(frame, -strain)).energies[0]
            both = 1 if row == column else 2
            expected = -(up - down) / (2 * _STRAIN * both)
            symmetric = (virial[row, column] + virial[column, row]) / 2
            assert symmetric == pytest.approx(expected, abs=1e-3)


def _cells(frame: System) -> FloatArray:
    assert frame.cells is not None
    return frame.cells


def _strained(frame: System, strain: FloatArray) -> System:
    deform = np.eye(3) + strain
    return replace(frame, coords=frame.coords @ deform, cells=_cells(frame) @ deform)
