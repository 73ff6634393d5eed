"""Operator: the report of an evaluation."""

from collections.abc import Mapping

import yaml

from lamflow.config.base import JsonObject, StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.evaluate.table import ERROR_KEYS
from lamflow.files import write_json, write_text
from lamflow.report.evaluate import collect_evaluation, render_evaluation


class EvaluateReportParams(StrictModel):
    """What the report is about."""

    name: str
    """Name of the run."""
    config: JsonObject
    """The configuration, as it was run."""
    weights: dict[str, float]
    """How much each test set counts."""


@operator(
    params=EvaluateReportParams,
    inputs={"model": "model folder"},
    groups={
        "exams": "errors on each set",
        "measured": "properties of each system",
        "quarantines": "what cleaning set aside, of each set",
        "datasets": "frames tested on, of each set",
        "steps": "records of the steps",
    },
    outputs={
        "report": "HTML page", "metrics": "metrics.json", "properties": "properties.json",
        "details": "elements and worst frames by set, JSON", "card": "card of the run",
    },
    numbers=("properties_passed", "properties_failed", *(f"weighted_{key}" for key in ERROR_KEYS)),
)  # fmt: skip
def evaluate_report(params: EvaluateReportParams, io: StepIO) -> Mapping[str, float | int | None]:
    """Put errors, properties and where they come from on one page."""
    report = collect_evaluation(
        name=params.name,
        config_yaml=yaml.safe_dump(params.config, sort_keys=False, allow_unicode=True),
        weights=params.weights, model=io.inputs["model"], exams=io.groups.get("exams", {}),
        measured=io.groups.get("measured", {}), quarantines=io.groups.get("quarantines", {}),
        datasets=io.groups.get("datasets", {}), steps=io.groups["steps"],
    )  # fmt: skip
    write_json(io.outputs["metrics"], report.metrics)
    values = [value.model_dump(mode="json") for value in report.properties]
    write_json(io.outputs["properties"], values)
    write_json(io.outputs["details"], report.details)
    write_text(io.outputs["report"], render_evaluation(report))
    write_json(io.outputs["card"], report.card())
    passed = sum(value.passed for value in report.properties)
    return {
        "properties_passed": passed,
        "properties_failed": len(report.properties) - passed,
        **{f"weighted_{key}": report.metrics["weighted"].get(key) for key in ERROR_KEYS},
    }
