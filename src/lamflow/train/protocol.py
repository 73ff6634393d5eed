"""What a trainer is given, what it gives back, and what it promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lamflow.config.task import ENERGY, AnyTask
from lamflow.errors import RunError
from lamflow.progress import Progress, silent

SINGLE_HEAD = "model"
"""Name of the only head where the user gave none."""


class TrainingError(RunError):
    """A training run failed; the message ends with the tail of its log."""


@dataclass(frozen=True)
class Head:
    """One task of a model: a fitting net of its own and the data that teach it.

    Attributes
    ----------
    name
        Letters, digits, ``_`` and ``-``; unique in a job.
    train
        Dataset folder, canonical ``deepmd/npy/mixed`` (see `lamflow.data.writer`).
    validation
        Dataset folder of held-out frames for the learning curve, or None.
    weight
        Share of the training steps, relative to the other heads' weights; more than 0.
    task
        What it learns.
    """

    name: str
    train: Path
    validation: Path | None = None
    weight: float = 1.0
    task: AnyTask = ENERGY


@dataclass(frozen=True)
class TrainSettings:
    """How to train. Defaults suit a small model on a laptop.

    Attributes
    ----------
    steps
        Optimizer steps, over all heads together.
    batch
        Frames per step, or DeePMD-kit's ``auto:N``: as many frames as make N atoms.
    learning_rate
        Highest learning rate, reached after a twentieth of the steps.
    decay
        Last learning rate divided by the highest; it falls exponentially in between.
    seed
        Seed of the weights and of the order of the data.
    save_every
        Steps between checkpoints.
    report_every
        Steps between lines of the learning curve; None: a hundredth of `steps`.
    threads
        CPU threads of each process; None: its share of the cores that may be used.
    processes
        More than 1: data-parallel training by torchrun, each with a GPU, or on CPUs.
    deepmd
        Raw DeePMD-kit input, merged over what lamflow writes.
    """

    steps: int
    batch: int | str = "auto:32"
    learning_rate: float = 5e-3
    decay: float = 5e-3
    seed: int = 1
    save_every: int = 200
    report_every: int | None = None
    threads: int | None = None
    processes: int = 1
    deepmd: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Start:
    """Weights that a training begins with, instead of random ones.

    Attributes
    ----------
    checkpoint
        A trained model (``model.pt``), single- or multi-task; `TrainJob.model` is its model.
    heads
        Per head of the job, the head of the checkpoint whose fitting net it begins with; None: a
        fresh one. A head that keeps its name goes on as it was; any other has its elements'
        reference energies refitted to its own data.
    freeze_descriptor
        Train the fitting nets only.
    """

    checkpoint: Path
    heads: Mapping[str, str | None]
    freeze_descriptor: bool = False


@dataclass(frozen=True)
class TrainJob:
    """Everything that decides what comes out of a training run.

    Attributes
    ----------
    heads
        One: a single-task model. More: one shared descriptor, a fitting net per head.
    model
        Model section with ``descriptor`` and ``fitting_net`` (see `lamflow.train.presets`).
    type_map
        Chemical symbols the model knows; holds those of every head's data.
    settings
        How to train.
    start
        What to fine-tune; None: train from scratch.
    """

    heads: Sequence[Head]
    model: Mapping[str, Any]
    type_map: Sequence[str]
    settings: TrainSettings
    start: Start | None = None


@dataclass(frozen=True)
class TrainResult:
    """What a training run leaves in its folder.

    Attributes
    ----------
    checkpoint
        Weights and optimizer state after the last step (``model.pt``).
    frozen
        Per head, the model that predicts, without the training state (``frozen/NAME.pth``;
        ``.pt`` for DPA-4).
    curve
        Learning curve (``lcurve.out``), see `lamflow.train.curve`.
    input
        The trainer's full input, as it was run (``input.json``).
    steps
        Steps in `checkpoint`, those before a restart included.
    seconds
        Wall seconds of training, those before a restart included.
    device
        Where it ran, such as ``cpu`` or ``cuda``.
    """

    checkpoint: Path
    frozen: Mapping[str, Path]
    curve: Path
    input: Path
    steps: int
    seconds: float
    device: str


class Trainer(Protocol):
    """Trains a model; `lamflow.testing.trainer` has the tests that every trainer passes."""

    def train(self, job: TrainJob, workdir: Path, progress: Progress = silent) -> TrainResult:
        """Train `job` in `workdir`, which persists between calls.

        Called again with the same job it goes on from the last complete checkpoint, also after a
        SIGKILL in the middle of a write; a finished job returns at once. `progress` is told steps
        done, steps in all, and at least ``loss``-like numbers. A SIGTERM or an exception leaves no
        child process and a folder to go on from.

        Raises
        ------
        InputError
            `job` cannot be trained, or `workdir` belongs to another job.
        TrainingError
            The run failed, or its loss is no longer a number.
        """
