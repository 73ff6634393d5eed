"""The parts of `kind: learn`: start, exploration, selection, labelling, training, convergence."""

from collections.abc import Callable
from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lamflow.config.base import (
    Integer,
    JsonObject,
    Name,
    Number,
    PositiveInteger,
    PositiveNumber,
    StrictModel,
)
from lamflow.config.train import TrainSettings
from lamflow.errors import InputError
from lamflow.select.choose import Strategy

Fraction = Annotated[Number, Field(ge=0, le=1)]


class StartSettings(StrictModel):
    """Random changes of the structures, labelled before the first training."""

    frames: Annotated[Integer, Field(ge=0)] | None = None
    """Number of frames, over all structures; without it select.labels, or 0 with `datasets`."""
    rattle: Annotated[Number, Field(ge=0)] = 0.1
    """Standard deviation of each coordinate's move, Å."""
    strain: Annotated[Number, Field(ge=0, lt=0.5)] = 0.03
    """Largest component of the strain of a crystal's cell (no unit)."""


class ExploreSpec(StrictModel):
    """One way to find new frames."""

    name: Annotated[Name, Field(examples=["nvt300"])]
    """Name, such as nvt300: lower case letters, digits, - and _."""
    explorer: str = "md"
    """md, perturb or relax, or one that another package offers."""
    settings: JsonObject = Field(default_factory=dict)
    """Settings of the explorer, such as steps, temperature_K and timestep_fs of md."""
    runs: PositiveInteger = 1
    """Trajectories from each structure, of different seeds."""
    structures: tuple[str, ...] = ()
    """Names of the structures to start from; all if none is given."""
    stage: PositiveInteger = 1
    """Stage of the loop in which this is done. Stages count from 1; when one has converged the next
    begins, such as a higher temperature, and the loop is over after the last."""
    walltime: PositiveNumber = 60.0
    """Longest time of one trajectory, minutes."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        from lamflow.explore.registry import EXPLORERS

        _ask(lambda: EXPLORERS.build(self.explorer, self.settings))
        return self


class LabelSpec(StrictModel):
    """Which engine labels, and how."""

    engine: Annotated[str, Field(examples=["pyscf"])]
    """gpaw, pyscf, tblite, emt or teacher, or one that another package offers."""
    settings: JsonObject = Field(default_factory=dict)
    """Settings of the engine, such as functional and basis of pyscf."""
    workers: Annotated[Integer, Field(ge=1, le=100)] = 2
    """Steps that share the frames of an iteration, side by side."""
    walltime: PositiveNumber = 60.0
    """Longest time for one frame, minutes."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        from lamflow.label.registry import LABELLERS

        _ask(lambda: LABELLERS.build(self.engine, self.settings))
        return self


def _ask(build: Callable[[], Any]) -> None:
    """Tell what a registry has against a name or its settings."""
    try:
        build()
    except InputError as error:
        what = "; ".join(f"{problem.key}: {problem.what}" for problem in error.problems)
        raise PydanticCustomError("plugin", "{what}", {"what": what}) from error


class SelectSettings(StrictModel):
    """Which frames are worth a label."""

    labels: PositiveInteger = 20
    """Frames labelled in one iteration, at most."""
    force_error: PositiveNumber = 0.2
    """Wished error, eV/Å: of the force on the worst atom of a frame. Frames whose expected error is
    smaller are accurate. The deviation that stands for it is calibrated in each iteration."""
    failed_error: PositiveNumber | None = None
    """Expected error, eV/Å, above which a frame is not worth a label; five times `force_error`."""
    strategy: Strategy = "deviation"
    """deviation, or random: the baseline for experiments."""
    hold_out: Annotated[Number, Field(gt=0, lt=1)] = 0.2
    """Fraction of the labels (0 to 1) that is not trained on but calibrates and, without `test`,
    tests."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.failed_error is not None and self.failed_error <= self.force_error:
            raise PydanticCustomError(
                "levels", "failed_error must be above force_error, {wished} eV/Å",
                {"wished": self.force_error},
            )  # fmt: skip
        return self

    @property
    def hopeless(self) -> float:
        """`failed_error` with its default, eV/Å."""
        return self.failed_error or 5 * self.force_error


class LoopTraining(TrainSettings):
    """How the members of the committee are trained."""

    committee: Annotated[Integer, Field(ge=1)] = 4
    """Models trained from different seeds; with 1, the distance in descriptor space stands in for
    the deviation."""
    threads: PositiveInteger | None = None
    """CPU threads of a training; with 1, members are trained side by side, a core each. Without
    it, one after the other on the GPU or all cores."""
    save_every: PositiveInteger = 10_000
    """Steps between checkpoints. A training that is cut off before the first one begins anew, and
    so gives the weights, and the selection, that it would have given undisturbed."""


class Converged(StrictModel):
    """The loop is over when all of this holds in so many iterations running."""

    accurate: Fraction = 0.95
    """Fraction (0 to 1) of the explored frames that are accurate."""
    force_rmse: PositiveNumber | None = None
    """Test error to reach, meV/Å; without it, any will do."""
    iterations: PositiveInteger = 2
    """Iterations in a row."""
    failures: Fraction = 0.5
    """Largest fraction (0 to 1) of labels, trajectories or members that may fail in one step;
    more ends the run with an error."""
