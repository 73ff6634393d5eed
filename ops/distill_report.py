"""Operator: the report of a distillation."""

from collections.abc import Mapping

import yaml

from lamflow.config.base import JsonObject, StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.files import sha256_file, write_json, write_text
from lamflow.report.distill import collect_distill, render_distill


class DistillReportParams(StrictModel):
    """What the report is about."""

    name: str
    """Name of the run."""
    config: JsonObject
    """The configuration, as it was run."""


@operator(
    params=DistillReportParams,
    inputs={
        "checked": "state of the loop",
        "model": "the student before compression",
        "deploy": "the deployment",
        "errors": "errors of the deployed student",
        "parity": "points of its parity plots",
        "speed": "times of all models",
        "size": "the choice of a size",
    },
    groups={
        "rounds": "checks of all iterations",
        "chosen": "selections of all iterations",
        "dynamics": "proof by structure",
        "steps": "records of the steps",
    },
    outputs={"report": "HTML page", "metrics": "metrics.json", "card": "card of the run"},
    numbers=("speedup", "student_over_teacher", "drift_meV_per_atom_per_ns", "survived", "ending"),
)
def distill_report(params: DistillReportParams, io: StepIO) -> Mapping[str, float | str | None]:
    """Put accuracy, stability and speed on one page."""
    page = collect_distill(
        params.name, yaml.safe_dump(params.config, sort_keys=False, allow_unicode=True),
        io.inputs, io.groups,
    )  # fmt: skip
    write_json(io.outputs["metrics"], page.metrics)
    write_text(io.outputs["report"], render_distill(page))
    card = {
        "kind": "distill", "name": params.name, **page.summary,
        "deploy": sha256_file(io.inputs["deploy"] / "card.json"),
    }  # fmt: skip
    write_json(io.outputs["card"], card)
    return {
        **{k: page.summary[k] for k in ("speedup", "student_over_teacher",
                                        "drift_meV_per_atom_per_ns", "survived")},
        "ending": page.summary["ending"],
    }  # fmt: skip
