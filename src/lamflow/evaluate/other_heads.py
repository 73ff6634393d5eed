"""Errors of heads that predict something else than energies alone, beside a baseline."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.config.task import DenoiseTask, DipoleTask, DosTask, PropertyTask, SpinTask
from lamflow.data.frames import FloatArray, IntArray, System
from lamflow.data.references import Baseline
from lamflow.errors import InputError, Problem
from lamflow.evaluate.errors import Moments, head_errors
from lamflow.evaluate.predictor import Prediction, translate_types
from lamflow.progress import Progress, silent

Labelled = PropertyTask | DipoleTask | DosTask
Values = Callable[[System], FloatArray]
"""Gives the values of each frame, (nframes, dimension)."""


def label_errors(
    predict: Values, base: Values, test: Iterable[System], task: Labelled
) -> dict[str, Any]:
    """Compare predicted with true labels; every number of every frame counts the same.

    Parameters
    ----------
    predict, base
        The model, and the least to beat.
    test
        Frames; those without the label are left out.
    task
        Names the label.

    Returns
    -------
    dict
        ``frames``, ``task``, ``label``, ``unit``, ``value_rmse`` and ``value_mae`` in that unit,
        ``baseline`` with both errors of `base`.

    Raises
    ------
    InputError
        No frame has the label.
    """
    ours, theirs, frames = Moments(), Moments(), 0
    for system in test:
        if task.label in system.others:
            wanted = system.others[task.label]
            ours.add(predict(system) - wanted)
            theirs.add(base(system) - wanted)
            frames += system.nframes
    if not frames:
        raise InputError(Problem("", "", f"no frame to test on has a {task.label}"))
    return {
        "frames": frames, "task": task.kind, "label": task.label, "unit": task.unit,
        **_value_errors(ours), "baseline": _value_errors(theirs),
    }  # fmt: skip


def label_baseline(train: Iterable[System], task: Labelled) -> Values:
    """Fit what can be said without a model: zero for a vector, the mean of what is intensive, a sum
    over elements (least squares) of what is extensive.
    """  # noqa: D205
    counts, values = [], []
    elements: tuple[str, ...] = ()
    for system in train:
        if task.label in system.others:
            elements = system.type_map
            counts.append(system.counts())
            values.append(system.others[task.label])
    if not values or isinstance(task, DipoleTask):
        return lambda system: np.zeros((system.nframes, task.dimension))
    labels = np.concatenate(values)
    if isinstance(task, PropertyTask) and task.intensive:
        mean = labels.mean(axis=0)
        return lambda system: np.tile(mean, (system.nframes, 1))
    each = np.linalg.lstsq(np.concatenate(counts).astype(np.float64), labels, rcond=1e-10)[0]

    def summed(system: System) -> FloatArray:
        rows = [elements.index(s) if s in elements else -1 for s in system.type_map]
        table = np.where(np.array(rows)[:, None] >= 0, each[rows], 0.0)
        return np.asarray(system.counts() @ table, dtype=np.float64)

    return summed


class LabelPredictor:
    """Values that a property, dipole or dos head predicts.

    Parameters
    ----------
    model
        Frozen model of the head.
    task
        What it has learnt.
    """

    def __init__(self, model: Path, task: Labelled) -> None:
        self._model = _deepmd_class(task)(str(model))
        self._type_map = self._model.get_type_map()

    def __call__(self, system: System) -> FloatArray:
        """Give (nframes, dimension) values."""
        says = self._model.eval(
            system.coords.reshape(system.nframes, -1), _boxes(system),
            translate_types(system, self._type_map), atomic=False, mixed_type=True,
        )  # fmt: skip
        whole = says[0] if isinstance(says, tuple | list) else says
        return np.asarray(whole, dtype=np.float64).reshape(system.nframes, -1)


def denoise_errors(
    model: Path, train: Iterable[System], test: Iterable[System], task: DenoiseTask, seed: int
) -> dict[str, Any]:
    """Noise and mask frames, and measure how well a denoise head finds both again.

    Parameters
    ----------
    model
        Frozen model of the head.
    train
        Frames that taught it: the baseline guesses their most frequent element.
    test
        Other frames.
    task
        Noise and mask, as in training.
    seed
        Of the noise.

    Returns
    -------
    dict
        ``frames``, ``task``, ``displacement_rmse_A`` (of a coordinate), ``wrong_elements``
        (fraction of the masked; None without masks), and ``baseline``: no displacement, and the
        most frequent element.
    """
    head = DenoiseHead(model)
    rng = np.random.default_rng(seed)
    common = _most_frequent(train)
    errors, moves, frames = Moments(), Moments(), 0
    wrong = guessed = hidden = 0
    for system in test:
        shift = _noise(system, task, rng)
        masked = rng.random(system.types.shape) < task.mask
        back, elements = head(replace(system, coords=system.coords + shift), masked, task.sigma_A)
        errors.add(back + shift)
        moves.add(shift)
        true = np.array(system.type_map)[system.types][masked]
        hidden += len(true)
        wrong += int((elements[masked] != true).sum())
        guessed += int((true != common).sum())
        frames += system.nframes
    if not frames:
        raise InputError(Problem("", "", "there are no frames to test the model on"))

    def named(displacement: Moments, mistakes: int) -> dict[str, Any]:
        part = mistakes / hidden if hidden else None
        return {"displacement_rmse_A": displacement.rms(), "wrong_elements": part}

    return {
        "frames": frames, "task": task.kind,
        **named(errors, wrong), "baseline": named(moves, guessed),
    }  # fmt: skip


class DenoiseHead:
    """A denoise head: says where atoms of a noisy frame belong, and what masked ones are.

    Parameters
    ----------
    model
        Frozen model (``.pth``) with a denoise head.
    """

    def __init__(self, model: Path) -> None:
        import torch

        import deepmd.pt  # noqa: F401 isort: skip  loads the operators that the model calls

        self._model = torch.jit.load(str(model), map_location="cpu")
        self._model.eval()
        self.type_map: tuple[str, ...] = tuple(self._model.get_type_map())

    def __call__(
        self, system: System, masked: Any, sigma: float
    ) -> tuple[FloatArray, np.ndarray[Any, Any]]:
        """Undo noise and masks.

        Parameters
        ----------
        system
            Noisy frames.
        masked
            (nframes, natoms) whether the element is hidden from the model.
        sigma
            Standard deviation of the noise that it was trained with, Å.

        Returns
        -------
        displacements
            (nframes, natoms, 3) Å, from here to where atoms belong.
        elements
            (nframes, natoms) chemical symbols.
        """
        import torch

        from lamflow.train.denoise import denoise
        from lamflow.train.tasks import MASK

        types = translate_types(system, self.type_map)
        if np.any(masked):
            types = np.where(masked, self.type_map.index(MASK), types)
        boxes = _boxes(system)
        with torch.device("cpu"):
            inputs = {
                "atype": torch.from_numpy(types),
                "box": None if boxes is None else torch.from_numpy(boxes),
            }
            vectors, scores = denoise(self._model, torch.from_numpy(system.coords), inputs)
        best = scores[..., : len(self.type_map)].argmax(-1).numpy()
        return sigma * vectors.detach().numpy(), np.array(self.type_map)[best]


class SpinPredictor:
    """Predicts energies, forces and virials of frames with magnetic moments (`others["spin"]`).

    Parameters
    ----------
    model
        Frozen model of a spin head.
    """

    def __init__(self, model: Path) -> None:
        from deepmd.infer import DeepPot

        self._potential = DeepPot(str(model))
        self.magnetic = Moments()
        """Errors of magnetic forces of the frames so far that have `others["force_mag"]`."""

    @property
    def type_map(self) -> tuple[str, ...]:
        """Chemical symbols that the model knows."""
        return tuple(self._potential.get_type_map())

    def predict(self, system: System) -> Prediction:
        """Predict for every frame; InputError if it has no moments."""
        if "spin" not in system.others:
            raise InputError(Problem(system.name, "spin", "the frames have no magnetic moments"))
        shape = (system.nframes, system.natoms, 3)
        says = self._potential.eval(
            system.coords.reshape(system.nframes, -1), _boxes(system),
            translate_types(system, self.type_map), mixed_type=True,
            spin=system.others["spin"].reshape(shape),
        )  # fmt: skip
        if "force_mag" in system.others:
            known = np.asarray(says[4] if len(says) == 5 else says[-1], dtype=bool).reshape(-1)
            wanted = system.others["force_mag"].reshape(-1, 3)
            self.magnetic.add((np.asarray(says[3]).reshape(-1, 3) - wanted)[known])
        return Prediction(
            np.asarray(says[0], dtype=np.float64).reshape(system.nframes),
            np.asarray(says[1], dtype=np.float64).reshape(shape),
            np.asarray(says[2], dtype=np.float64).reshape(system.nframes, 3, 3),
        )


def spin_errors(
    model: Path, test: Iterable[System], baseline: Baseline, task: SpinTask,
    *, progress: Progress = silent, nframes: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Measure a spin head: as `lamflow.evaluate.errors.head_errors`, and magnetic forces.

    The baseline of magnetic forces is zero.
    """
    predictor, still = SpinPredictor(model), Moments()
    errors = head_errors(
        predictor, _watched(test, task, still), baseline, progress=progress, nframes=nframes
    )
    key = "magnetic_force_rmse_meV_per_muB"
    errors[key] = predictor.magnetic.rmse()
    errors["baseline"][key] = still.rmse()
    return {"task": task.kind, **errors}


def _watched(test: Iterable[System], task: SpinTask, still: Moments) -> Iterator[System]:
    for system in test:
        if "force_mag" in system.others:
            magnetic = [symbol in task.elements for symbol in system.type_map]
            known = np.array(magnetic)[system.types].reshape(-1)
            still.add(system.others["force_mag"].reshape(-1, 3)[known])
        yield system


def _deepmd_class(task: Labelled) -> Any:
    if isinstance(task, PropertyTask):
        from deepmd.infer.deep_property import DeepProperty as Found
    elif isinstance(task, DipoleTask):
        from deepmd.infer.deep_dipole import DeepDipole as Found
    else:
        from deepmd.infer.deep_dos import DeepDOS as Found
    return Found


def _boxes(system: System) -> FloatArray | None:
    return None if system.cells is None else system.cells.reshape(system.nframes, 9)


def _noise(system: System, task: DenoiseTask, rng: np.random.Generator) -> FloatArray:
    shape = system.coords.shape
    unit = rng.normal(size=shape) if task.noise == "gaussian" else _uniform(shape, rng)
    shift = task.sigma_A * unit
    return np.asarray(shift - shift.mean(axis=1, keepdims=True), dtype=np.float64)


def _uniform(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    return rng.uniform(-np.sqrt(3), np.sqrt(3), size=shape)


def _most_frequent(train: Iterable[System]) -> str:
    counted: Counter[str] = Counter()
    for system in train:
        total: IntArray = system.counts().sum(axis=0)
        counted.update(dict(zip(system.type_map, map(int, total), strict=True)))
    return counted.most_common(1)[0][0] if counted else ""


def _value_errors(moments: Moments) -> Mapping[str, float | None]:
    return {"value_rmse": moments.rms(), "value_mae": moments.mean()}
