"""Operator: compare a dataset with what a model knows."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.config.coverage import CoverageSettings
from lamflow.engine.operator import StepIO, operator
from lamflow.select.coverage import CoverageLimits, assess_coverage


class CoverageParams(StrictModel):
    """How to compare."""

    settings: CoverageSettings = CoverageSettings()
    """How much is looked at."""
    head: str | None = None
    """Head of the model; without it, the one that fits the dataset best."""
    seed: int
    """Draws samples."""


@operator(
    params=CoverageParams,
    inputs={"dataset": "new frames, cleaned, labelled or not"},
    groups={
        "models": "model folders, the one that is judged first",
        "training": "what taught the model: datasets, or folders with train/ and validation/",
    },
    outputs={
        "coverage": "coverage.json, frames.jsonl, map.npz",
        "subset": "frames worth adding, a dataset in frames/ if there are any",
    },
    numbers=("verdict", "frames", "covered", "fraction_covered", "subset", "step"),
)
def coverage(params: CoverageParams, io: StepIO) -> Mapping[str, float | int | str]:
    """Judge each frame covered, borderline or new, and pick the least that is worth adding."""
    found = assess_coverage(
        io.groups["models"], io.groups["training"], io.inputs["dataset"],
        io.outputs["coverage"], io.outputs["subset"], io.scratch,
        CoverageLimits(**params.settings.model_dump()), params.seed, head=params.head,
        progress=io.progress,
    )  # fmt: skip
    return {
        "verdict": found["verdict"],
        "frames": found["frames"],
        "covered": found["counts"]["covered"],
        "fraction_covered": found["fraction_covered"],
        "subset": found["subset"]["frames"],
        "step": found["next"]["step"],
    }
