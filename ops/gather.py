"""Operator: put all labels so far together."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.learn.gather import gather_labels


class GatherParams(StrictModel):
    """How to put labels together."""

    name: str
    """Name of the dataset."""
    dft: str
    """Method of the labels, for the card."""
    hold_out: float
    """Fraction of the frames that is never trained on."""
    failures: float
    """Largest fraction of frames that may have got no label."""
    seed: int
    """Decides which frames are held out."""


@operator(
    params=GatherParams,
    inputs={"previous": "labels of the iteration before"},
    groups={"bought": "labels of this iteration", "datasets": "labelled frames of the user's"},
    outputs={"labels": "train/, validation/ and new/"},
    numbers=("asked", "labelled", "train", "validation"),
)
def gather(params: GatherParams, io: StepIO) -> Mapping[str, int]:
    """Add the new labels to those before; some are held out from training."""
    done = gather_labels(
        io.groups.get("bought", {}), io.groups.get("datasets", {}), io.inputs.get("previous"),
        io.outputs["labels"], io.scratch, name=params.name, dft=params.dft,
        hold_out=params.hold_out, failures=params.failures, seed=params.seed,
    )  # fmt: skip
    return {"asked": done["asked"], "labelled": done["labelled"], **done["frames"]}
