"""Operator: label a share of the selected frames."""

from collections.abc import Mapping

from lamflow.config.base import JsonObject, StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.learn.label import label_share


class LabelParams(StrictModel):
    """Which engine, and which of the frames."""

    engine: str
    """Name of the labeller."""
    settings: JsonObject
    """Its settings."""
    share: int
    """Number of this share, from 0."""
    of: int
    """Number of shares."""
    walltime_s: float
    """Longest time for one frame, s."""


@operator(
    params=LabelParams,
    inputs={"chosen": "frames to label"},
    outputs={"labels": "labelled frames, quarantine and reasons"},
    numbers=("asked", "labelled", "computed", "cached", "label_seconds"),
)
def label(params: LabelParams, io: StepIO) -> Mapping[str, float]:
    """Give frames energies, forces and virials; a label that is known is not computed again."""
    done = label_share(
        io.inputs["chosen"], io.outputs["labels"], share=params.share, of=params.of,
        engine=params.engine, settings=params.settings, walltime_s=params.walltime_s,
        progress=io.progress,
    )  # fmt: skip
    return {name: done[name] for name in ("asked", "labelled", "computed", "cached",
                                          "label_seconds")}  # fmt: skip
