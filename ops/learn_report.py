"""Operator: the report of a concurrent-learning run."""

from collections.abc import Mapping

import yaml

from lamflow.config.base import JsonObject, StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.files import sha256_file, write_json, write_text
from lamflow.report.learn import collect_learn, render_learn


class LearnReportParams(StrictModel):
    """What the report is about."""

    name: str
    """Name of the run."""
    config: JsonObject
    """The configuration, as it was run."""
    force_error: float
    """The wished error, eV/Å."""
    head: str | None = None
    """Head of the pretrained model that the loop began with, or best."""


@operator(
    params=LearnReportParams,
    inputs={
        "checked": "state of the loop",
        "model": "the model to use",
        "zero_shot": "zero-shot errors of the pretrained model",
        "scratch": "errors of a model trained from random weights",
    },
    groups={
        "rounds": "checks of all iterations",
        "chosen": "selections of all iterations",
        "steps": "records of the steps",
    },
    outputs={"report": "HTML page", "metrics": "metrics.json", "card": "card of the run"},
    numbers=("labels", "iterations", "force_rmse_meV_per_A", "ending"),
)
def learn_report(params: LearnReportParams, io: StepIO) -> Mapping[str, float | str | None]:
    """Put errors, calibration, selection and incidents on one page."""
    config = yaml.safe_dump(params.config, sort_keys=False, allow_unicode=True)
    page = collect_learn(
        name=params.name, config_yaml=config, force_error=params.force_error,
        checked=io.inputs["checked"], model=io.inputs["model"], rounds=io.groups["rounds"],
        chosen=io.groups["chosen"], steps=io.groups["steps"], head=params.head,
        zero_shot=io.inputs.get("zero_shot"), scratch=io.inputs.get("scratch"),
    )  # fmt: skip
    last = page.state.last
    brief = {
        "labels": page.state.spent,
        "iterations": last.iteration,
        "force_rmse_meV_per_A": last.errors["force_rmse_meV_per_A"],
        "ending": page.ending,
    }
    write_json(io.outputs["metrics"], page.metrics)
    write_text(io.outputs["report"], render_learn(page))
    model = sha256_file(io.inputs["model"] / "card.json")
    write_json(io.outputs["card"], {"kind": "learn", "name": params.name, "model": model, **brief})
    return brief
