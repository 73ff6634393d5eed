"""Operator: the report of an update."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.files import read_json, write_json, write_text
from lamflow.report.update import collect_update, headline, render_update
from lamflow.update.decide import read_decisions
from lamflow.update.finish import ending_of
from lamflow.update.grow import Growth
from lamflow.update.plan import Plan
from lamflow.update.publish import GateResult


class UpdateReportParams(StrictModel):
    """What the report is about."""

    name: str
    """Name of the run."""
    model: str
    """Name of the model."""
    config: str
    """The configuration, as YAML."""


@operator(
    params=UpdateReportParams,
    inputs={
        "plan": "what is worked on",
        "decisions": "what is done with each dataset",
        "growth": "what became of the training",
        "model": "the new version",
        "examination": "its errors",
        "parity": "points for parity plots",
        "gate": "what the gate said",
    },
    groups={
        "verdicts": "what was found, by slot",
        "coverages": "comparisons with what the model knows, by slot",
        "steps": "records of the steps",
    },
    outputs={
        "ending": "what becomes of each dataset, JSON",
        "report": "HTML page",
        "metrics": "metrics.json",
        "card": "card of the run",
    },
    numbers=("summary",),
)
def update_report(params: UpdateReportParams, io: StepIO) -> Mapping[str, str]:
    """Say what becomes of each dataset and of the new version, on one page."""
    plan = Plan.model_validate(read_json(io.inputs["plan"]))
    ending = ending_of(
        plan,
        read_decisions(io.inputs["decisions"]),
        Growth.model_validate(read_json(io.inputs["growth"])),
        GateResult.model_validate(read_json(io.inputs["gate"])),
    )
    page = collect_update(
        name=params.name, config_yaml=params.config, model_name=params.model, plan=plan,
        decisions=io.inputs["decisions"], growth=io.inputs["growth"],
        examination=io.inputs["examination"], parity=io.inputs["parity"],
        model=io.inputs["model"], ending=ending, verdicts=io.groups["verdicts"],
        coverages=io.groups["coverages"], steps=io.groups["steps"],
    )  # fmt: skip
    write_json(io.outputs["ending"], ending.model_dump(mode="json"))
    write_json(io.outputs["metrics"], page.metrics)
    write_text(io.outputs["report"], render_update(page))
    write_json(io.outputs["card"], page.card())
    return {"summary": headline(page)}
