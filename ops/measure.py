"""Operator: properties that a model predicts for one system."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.evaluate.measure import measure_properties
from lamflow.evaluate.properties.suite import Crystal, MdSettings, PropertyTest


class MeasureParams(StrictModel):
    """What is computed."""

    system: str
    """Name of the system."""
    crystal: Crystal | None = None
    """The system, unless `structure` gives it."""
    head: str | None = None
    """Head of the model; not needed if there is only one."""
    tests: tuple[PropertyTest, ...]
    """Properties and their limits."""
    md: MdSettings = MdSettings()
    """How the dynamics go."""


@operator(
    params=MeasureParams,
    inputs={"model": "model folder", "structure": "file whose first frame is the system"},
    outputs={"measured": "properties.json and curves.json"},
    numbers=("passed", "failed"),
)
def measure(params: MeasureParams, io: StepIO) -> Mapping[str, int]:
    """Relax, strain, break and move a system; compare what comes out with its limits."""
    values = measure_properties(
        io.inputs["model"], params.head, params.system, params.crystal or io.inputs["structure"],
        params.tests, params.md, io.outputs["measured"], progress=io.progress,
    )  # fmt: skip
    passed = sum(value.passed for value in values)
    return {"passed": passed, "failed": len(values) - passed}
