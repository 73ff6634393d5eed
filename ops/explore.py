"""Operator: find new frames with the model."""

from collections.abc import Mapping

from lamflow.config.base import JsonObject, StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.learn.explore import explore_structures, nothing_explored
from lamflow.learn.state import read_state


class ExploreParams(StrictModel):
    """How to explore."""

    name: str
    """Name of this way to explore."""
    explorer: str
    """Name of the explorer."""
    settings: JsonObject
    """Its settings."""
    runs: int
    """Trajectories from each structure."""
    seed: int
    """Of all randomness."""
    walltime_s: float
    """Longest time of one trajectory, s."""
    failures: float
    """Largest fraction of trajectories that may fail."""
    stage: int = 1
    """Stage of the loop in which this is done; in others nothing is."""


@operator(
    params=ExploreParams,
    inputs={"checked": "state of the loop; none at its start", "model": "model folder"},
    groups={"structures": "starting frames"},
    outputs={"explored": "frames, and how each trajectory ended"},
    numbers=("frames", "complete", "guarded", "failed"),
)
def explore(params: ExploreParams, io: StepIO) -> Mapping[str, int]:
    """Explore from the structures; guards end trajectories that leave the physics."""
    folder = io.outputs["explored"]
    state = read_state(io.inputs.get("checked"))
    if state.stop or state.stage != params.stage:
        done = nothing_explored(folder)
    else:
        done = explore_structures(
            io.groups["structures"], io.inputs["model"], folder, io.scratch, name=params.name,
            explorer=params.explorer, settings=params.settings, runs=params.runs,
            seed=params.seed, walltime_s=params.walltime_s, failures=params.failures,
            progress=io.progress,
        )  # fmt: skip
    return {name: done[name] for name in ("frames", "complete", "guarded", "failed")}
