"""Operator: choose which of the explored frames are labelled."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.learn.pick import nothing_picked, pick_from
from lamflow.learn.state import read_state
from lamflow.select.choose import Strategy


class SelectParams(StrictModel):
    """How many frames, and how they are chosen."""

    labels: int
    """Frames of one iteration, at most."""
    allowance: int
    """Frames that may have been labelled by the end of this iteration."""
    strategy: Strategy
    """deviation or random."""
    failures: float
    """Largest fraction of members that may have failed."""
    seed: int
    """Of all randomness."""


@operator(
    params=SelectParams,
    inputs={"checked": "state of the loop", "labels": "labelled frames so far"},
    groups={"models": "members of the committee", "explored": "frames to choose from"},
    outputs={"chosen": "frames to label, and where all others went"},
    numbers=("accurate", "candidate", "failed", "duplicate", "picked"),
)
def select(params: SelectParams, io: StepIO) -> Mapping[str, int]:
    """Choose frames by calibrated deviation: new, diverse, and no more than the budget allows."""
    state = read_state(io.inputs["checked"])
    if state.stop:
        counts = nothing_picked(io.outputs["chosen"])
    else:
        counts = pick_from(
            io.groups["explored"], io.groups["models"], io.inputs["labels"], io.outputs["chosen"],
            state, labels_wanted=params.labels, allowance=params.allowance,
            strategy=params.strategy, failures=params.failures, seed=params.seed,
            progress=io.progress,
        )  # fmt: skip
    return {name: counts[name] for name in ("accurate", "candidate", "failed", "duplicate",
                                            "picked")}  # fmt: skip
