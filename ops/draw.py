"""Operator: the first frames to label, random changes of the structures."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.learn.frames import write_frames
from lamflow.learn.start import perturbed


class DrawParams(StrictModel):
    """How many frames, and how far from the structures."""

    frames: int
    """Number of frames, over all structures."""
    rattle_A: float  # noqa: N815
    """Standard deviation of each coordinate's move, Å."""
    strain: float
    """Largest component of a crystal's strain."""
    seed: int
    """Of all randomness."""


@operator(
    params=DrawParams,
    groups={"structures": "starting frames"},
    outputs={"chosen": "frames to label"},
    numbers=("frames",),
)
def draw(params: DrawParams, io: StepIO) -> Mapping[str, int]:
    """Change the structures at random, for the first labels."""
    systems = perturbed(
        io.groups["structures"], params.frames, params.rattle_A, params.strain, params.seed,
        io.scratch, progress=io.progress,
    )  # fmt: skip
    return {"frames": write_frames(io.outputs["chosen"], systems)}
