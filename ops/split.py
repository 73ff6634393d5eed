"""Operator: divide a dataset by groups of near-identical frames."""

from collections.abc import Mapping
from dataclasses import asdict

from lamflow.config.base import StrictModel
from lamflow.data.split import split_dataset
from lamflow.engine.operator import StepIO, operator
from lamflow.files import write_json

PARTS = ("train", "validation", "test")


class SplitParams(StrictModel):
    """How to divide."""

    fractions: dict[str, float]
    """Fraction of the frames for each part, 0 to 1."""
    seed: int
    """Decides which groups go where."""


@operator(
    params=SplitParams,
    inputs={"dataset": "cleaned dataset"},
    outputs={"parts": "a dataset for each part (train/, validation/, test/) and summary.json"},
    numbers=("train_frames", "validation_frames", "test_frames", "groups"),
)
def split(params: SplitParams, io: StepIO) -> Mapping[str, int]:
    """Divide a dataset so that near-identical frames stay on one side."""
    summary = split_dataset(
        io.inputs["dataset"], io.outputs["parts"], params.fractions, params.seed,
        progress=io.progress,
    )  # fmt: skip
    write_json(io.outputs["parts"] / "summary.json", asdict(summary))
    frames = {f"{part}_frames": summary.frames.get(part, 0) for part in PARTS}
    return {**frames, "groups": summary.groups}
