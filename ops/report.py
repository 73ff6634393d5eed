"""Operator: the report of a pretraining run."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.evaluate.table import ERROR_KEYS
from lamflow.files import write_json, write_text
from lamflow.report.collect import collect_metrics, collect_pretrain
from lamflow.report.html import render_pretrain
from lamflow.report.run_card import make_run_card


class ReportParams(StrictModel):
    """What the report is about."""

    name: str
    """Name of the run."""
    config_yaml: str
    """The configuration, as it was run."""
    weights: dict[str, float]
    """How much each head counts."""


@operator(
    params=ReportParams,
    groups={
        "errors": "errors of each head",
        "parity": "parity points of each head",
        "data": "parts of each dataset",
        "quarantines": "what cleaning set aside, of each dataset",
        "models": "model folders of the committee",
        "steps": "records of the steps",
    },
    outputs={"report": "HTML page", "metrics": "metrics.json", "card": "card of the run"},
    numbers=tuple(f"weighted_{key}" for key in ERROR_KEYS),
)
def report(params: ReportParams, io: StepIO) -> Mapping[str, float | None]:
    """Put errors, pictures, data and provenance on one page."""
    metrics = collect_metrics(io.groups["errors"], params.weights)
    page = collect_pretrain(
        name=params.name, config_yaml=params.config_yaml, metrics=metrics, weights=params.weights,
        steps=io.groups["steps"], data=io.groups["data"], quarantines=io.groups["quarantines"],
        models=io.groups["models"], parity=io.groups["parity"],
    )  # fmt: skip
    write_json(io.outputs["metrics"], metrics)
    write_text(io.outputs["report"], render_pretrain(page))
    write_json(io.outputs["card"], make_run_card(page, io.groups["models"]))
    return {f"weighted_{key}": metrics["weighted"][key] for key in ERROR_KEYS}
