"""Operator: whether a fine-tuned model still knows what an old head knew."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.evaluate.old_heads import old_head_errors
from lamflow.files import write_json
from lamflow.train.given import open_model


class OldHeadParams(StrictModel):
    """Which head to test."""

    head: str
    """Head of the pretrained model."""
    stand_in: str
    """Head of the fine-tuned model that is tested if the old one was dropped."""


@operator(
    params=OldHeadParams,
    inputs={
        "before": "pretrained model folder",
        "after": "fine-tuned model folder",
        "test": "dataset of the old head",
        "data": "parts of the old head's dataset, where it has no test set of its own",
    },
    outputs={"errors": "errors before and after, JSON"},
    numbers=("before_meV_per_A", "after_meV_per_A", "tested_with"),
)
def old_head(params: OldHeadParams, io: StepIO) -> Mapping[str, float | str | None]:
    """Compare an old head's errors on its own test set before and after fine-tuning."""
    test = io.inputs["test"] if "test" in io.inputs else io.inputs["data"] / "test"
    errors = old_head_errors(
        open_model(io.inputs["before"]), open_model(io.inputs["after"]), params.head,
        params.stand_in, test,
    )  # fmt: skip
    write_json(io.outputs["errors"], errors)
    return {
        "before_meV_per_A": errors["before"]["force_rmse_meV_per_A"],
        "after_meV_per_A": errors["after"]["force_rmse_meV_per_A"],
        "tested_with": errors["with"],
    }
