"""Operator: errors of the deployed student."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.distill.proof import prove_errors as prove
from lamflow.engine.operator import StepIO, operator
from lamflow.files import write_json


class ProveErrorsParams(StrictModel):
    """What the result depends on beside the files."""

    seed: int
    """Decides which points the parity plots show."""


@operator(
    params=ProveErrorsParams,
    inputs={
        "deploy": "the deployment",
        "teacher": "model folder of one head",
        "labels": "the teacher's labels, train/ and validation/",
        "test": "frames with DFT labels",
    },
    outputs={"errors": "errors as JSON", "parity": "points of the parity plots"},
    numbers=("student_teacher", "student_dft", "teacher_dft"),
)
def prove_errors(params: ProveErrorsParams, io: StepIO) -> Mapping[str, float | None]:
    """Compare the deployed student with the teacher, and both with DFT, on held-out frames."""
    found = prove(
        io.inputs["deploy"], io.inputs["teacher"], io.inputs["labels"], io.inputs.get("test"),
        io.outputs["parity"], params.seed,
    )  # fmt: skip
    write_json(io.outputs["errors"], found)
    names = ("student_teacher", "student_dft", "teacher_dft")
    return {name: found.get(name, {}).get("force_rmse_meV_per_A") for name in names}
