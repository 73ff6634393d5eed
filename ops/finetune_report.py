"""Operator: the report of a fine-tuning run."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.evaluate.table import ERROR_KEYS
from lamflow.files import write_json, write_text
from lamflow.report.finetune import collect_finetune, render_finetune, run_card


class FinetuneReportParams(StrictModel):
    """What the report is about."""

    name: str
    """Name of the run."""
    config_yaml: str
    """The configuration, as it was run."""
    heads: dict[str, str]
    """Head that each dataset was to begin with: a name, best or fresh."""
    weights: dict[str, float]
    """How much each head counted in training."""


@operator(
    params=FinetuneReportParams,
    inputs={"pretrained": "pretrained model folder"},
    groups={
        "errors": "errors on each new dataset",
        "parity": "parity points of each new dataset",
        "zero_shot": "zero-shot errors on each new dataset",
        "scratch_errors": "errors of the model trained from random weights",
        "old": "errors of old heads before and after",
        "data": "parts of each dataset",
        "quarantines": "what cleaning set aside, of each dataset",
        "models": "model folders of the committee",
        "scratch": "model folder of the training from random weights",
        "steps": "records of the steps",
    },
    outputs={"report": "HTML page", "metrics": "metrics.json", "card": "card of the run"},
    numbers=(*(f"weighted_{key}" for key in ERROR_KEYS), "forgetting"),
)
def finetune_report(params: FinetuneReportParams, io: StepIO) -> Mapping[str, float | None]:
    """Put what was known, learnt and forgotten on one page."""
    page = collect_finetune(
        params.name, params.config_yaml, params.heads, params.weights, io.inputs["pretrained"],
        io.groups,
    )  # fmt: skip
    write_json(io.outputs["metrics"], page.metrics)
    write_text(io.outputs["report"], render_finetune(page))
    write_json(io.outputs["card"], run_card(page, io.groups["models"]))
    weighted = {f"weighted_{key}": page.metrics["weighted"][key] for key in ERROR_KEYS}
    return {**weighted, "forgetting": page.worst_forgetting}
