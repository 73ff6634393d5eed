"""Operator: what a pretrained model knows of new data before it learns them."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.evaluate.old_heads import zero_shot_table
from lamflow.files import write_json
from lamflow.train.given import open_model


class ZeroShotParams(StrictModel):
    """What to test on; all heads are tested."""

    part: str = "test"
    """Part of the dataset to test on, where there is no test set of its own."""


@operator(
    params=ZeroShotParams,
    inputs={
        "model": "pretrained model folder",
        "data": "parts of the new dataset",
        "test": "test set of its own",
    },
    outputs={"table": "errors of each head and the best of them, JSON"},
    numbers=("best", "force_rmse_meV_per_A", "left_out"),
)
def zero_shot(params: ZeroShotParams, io: StepIO) -> Mapping[str, float | str | None]:
    """Test every head on new data; only the elements' reference energies are refitted."""
    data = io.inputs["data"]
    table = zero_shot_table(
        open_model(io.inputs["model"]), data / "train", io.inputs.get("test", data / params.part),
        progress=io.progress,
    )  # fmt: skip
    write_json(io.outputs["table"], table)
    best = table["best"]
    return {
        "best": best,
        "force_rmse_meV_per_A": table["heads"][best]["force_rmse_meV_per_A"] if best else None,
        "left_out": table["left_out"],
    }
