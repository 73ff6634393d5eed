"""The state of the loop: one small JSON that each iteration hands to the next."""

from pathlib import Path
from typing import Any

from pydantic import Field

from lamflow.config.base import StrictModel
from lamflow.config.learn_steps import Converged
from lamflow.files import read_json, write_json

STATE = "state.json"


class Iteration(StrictModel):
    """What one iteration did; iteration 0 is the start."""

    iteration: int
    """Its number."""
    selection: dict[str, int] = Field(default={})
    """Frames of the pool by fate, see `lamflow.select.choose.Choice.counts`."""
    trajectories: dict[str, int] = Field(default={})
    """Trajectories: `complete`, `guarded` (ended early by a guard) and `failed`."""
    stops: tuple[str, ...] = ()
    """Why trajectories ended early or failed."""
    asked: int = 0
    """Frames given to the labeller."""
    labelled: int = 0
    """Frames that got a label."""
    rejected: dict[str, int] = Field(default={})
    """Frames that got none, by kind of failure."""
    added: int = 0
    """Labelled frames that came from the user's datasets in this iteration."""
    frames: dict[str, int] = Field(default={})
    """Labelled frames so far: `train` and `validation`."""
    stage: int = 1
    """Stage of the exploration."""
    members: int = 0
    """Members that were trained."""
    members_failed: tuple[str, ...] = ()
    """Why others were not."""
    tested_on: str = ""
    """`test` or `held-out labels`."""
    errors: dict[str, float | None] = Field(default={})
    """Errors of the model, see `lamflow.evaluate.table.ERROR_KEYS`."""
    calibration: dict[str, Any] = Field(default={})
    """See `lamflow.select.calibrate.Calibration`."""
    levels: tuple[float, float] = (0.0, 0.0)
    """Trust levels for the next selection, eV/Å."""

    @property
    def accurate(self) -> float:
        """Fraction of the explored frames that were accurate; 0 if none were explored."""
        total = sum(self.selection.get(name, 0) for name in ("accurate", "candidate", "failed"))
        return self.selection.get("accurate", 0) / total if total else 0.0


class LoopState(StrictModel):
    """Where the loop stands."""

    stop: str = ""
    """Why it is over; empty while it goes on."""
    spent: int = 0
    """Frames given to the labeller so far."""
    streak: int = 0
    """Iterations in a row that met the goal, in this stage."""
    stage: int = 1
    """Stage of the exploration that comes next."""
    history: tuple[Iteration, ...] = ()
    """All iterations so far."""

    @property
    def last(self) -> Iteration:
        """The latest iteration."""
        return self.history[-1]

    def after(
        self, iteration: Iteration, goal: Converged, *, no_labels_left: bool, stages: int = 1
    ) -> "LoopState":
        """Add an iteration and decide whether the loop is over.

        Parameters
        ----------
        iteration
            What was done.
        goal
            When a stage has converged; the last one ends the loop, others give way to the next.
        no_labels_left
            Whether the budget is spent.
        stages
            Number of stages.
        """
        streak = self.streak + 1 if meets(iteration, goal) else 0
        stage, stop = self.stage, ""
        if streak >= goal.iterations:
            if stage < stages:
                stage, streak = stage + 1, 0
            else:
                stop = f"converged: the goal was met in {streak} iterations in a row"
        if not stop and no_labels_left:
            stop = "the budget of labels is spent"
        return LoopState(
            stop=stop,
            spent=self.spent + iteration.asked,
            streak=streak,
            stage=stage,
            history=(*self.history, iteration),
        )


def meets(iteration: Iteration, goal: Converged) -> bool:
    """Tell whether an iteration was accurate enough; the start never is."""
    if iteration.iteration == 0 or iteration.accurate < goal.accurate:
        return False
    error = iteration.errors.get("force_rmse_meV_per_A")
    return goal.force_rmse is None or (error is not None and error <= goal.force_rmse)


def read_state(folder: Path | None) -> LoopState:
    """Read the state that a check left in its folder; a fresh one if there was none."""
    if folder is None:
        return LoopState()
    return LoopState.model_validate(read_json(folder / STATE))


def write_state(folder: Path, state: LoopState) -> None:
    """Write the state into a check's folder."""
    write_json(folder / STATE, state.model_dump(mode="json"))
