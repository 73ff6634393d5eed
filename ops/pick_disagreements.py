"""Operator: find out where students and teacher disagree, and pick what is to be learnt."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.config.learn_steps import Converged
from lamflow.distill.pick import nothing_to_pick
from lamflow.distill.pick import pick_disagreements as pick
from lamflow.engine.operator import StepIO, operator
from lamflow.learn.state import read_state


class PickParams(StrictModel):
    """What is wrong enough, and how many frames are taken."""

    wished: float
    """Error of the worst atom's force of an accurate frame, eV/Å."""
    goal: Converged
    """When the student is good enough."""
    labels: int
    """Frames, at most."""
    seed: int
    """Of all randomness."""


@operator(
    params=PickParams,
    inputs={
        "checked": "state of the loop",
        "model": "the student that drove",
        "labels": "labelled frames so far",
    },
    groups={
        "asked": "labelled frames by condition",
        "explored": "the trajectories they are from",
        "models": "all students",
    },
    outputs={"chosen": "frames to learn, and the errors of all"},
    numbers=("frames", "force_rmse_meV_per_A", "accurate", "met"),
)
def pick_disagreements(params: PickParams, io: StepIO) -> Mapping[str, float | bool | None]:
    """Compare on the student's own trajectories; pick diverse frames of those it got wrong."""
    if read_state(io.inputs["checked"]).stop:
        trial = nothing_to_pick(io.outputs["chosen"])
    else:
        trial = pick(
            io.groups["asked"], io.groups["explored"], io.inputs["model"], io.groups["models"],
            io.inputs["labels"], io.outputs["chosen"], wished=params.wished, goal=params.goal,
            count=params.labels, seed=params.seed, progress=io.progress,
        )  # fmt: skip
    return {key: trial[key] for key in ("frames", "force_rmse_meV_per_A", "accurate", "met")}
