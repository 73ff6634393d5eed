"""Operator: the report of a coverage run."""

from collections.abc import Mapping

import yaml

from lamflow.config.base import JsonObject, StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.files import write_json, write_text
from lamflow.report.coverage import collect_coverage, render_coverage


class CoverageReportParams(StrictModel):
    """What the report is about."""

    name: str
    """Name of the run."""
    config: JsonObject
    """The configuration, as it was run."""


@operator(
    params=CoverageReportParams,
    groups={
        "coverages": "what was found, of each dataset",
        "quarantines": "what was set aside before, of each dataset",
        "models": "model folders, the one that is judged first",
        "steps": "records of the steps",
    },
    outputs={
        "report": "HTML page",
        "coverage": "coverage.json: all that was found, by dataset",
        "lines": "frames.jsonl: every frame",
        "card": "card of the run",
    },
    numbers=("frames", "covered", "borderline", "new"),
)
def coverage_report(params: CoverageReportParams, io: StepIO) -> Mapping[str, int]:
    """Put verdicts, maps, what is new and what to do next on one page."""
    page = collect_coverage(
        name=params.name,
        config_yaml=yaml.safe_dump(params.config, sort_keys=False, allow_unicode=True),
        coverages=io.groups["coverages"], quarantines=io.groups["quarantines"],
        models=io.groups["models"], steps=io.groups["steps"],
    )  # fmt: skip
    write_json(io.outputs["coverage"], {"datasets": page.found})
    write_text(io.outputs["lines"], "".join(page.lines))
    write_text(io.outputs["report"], render_coverage(page))
    write_json(io.outputs["card"], page.card())
    return page.totals
