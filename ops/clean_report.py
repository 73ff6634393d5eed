"""Operator: the report of a cleaning run."""

from collections.abc import Mapping

import yaml

from lamflow.config.base import JsonObject, StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.files import write_json, write_text
from lamflow.report.clean import collect_clean, render_clean


class CleanReportParams(StrictModel):
    """What the report is about."""

    name: str
    """Name of the run."""
    config: JsonObject
    """The configuration, as it was run."""


@operator(
    params=CleanReportParams,
    groups={
        "quarantines": "what was set aside, of each dataset",
        "parts": "parts of each cleaned dataset",
        "steps": "records of the steps",
    },
    outputs={
        "report": "HTML page",
        "flags": "flags.json: rejected frames of each system",
        "lines": "flags.jsonl: every finding",
        "card": "card of the run",
    },
    numbers=("frames_in", "kept", "repaired", "quarantined"),
)
def clean_report(params: CleanReportParams, io: StepIO) -> Mapping[str, int]:
    """Put findings, decisions and what is left on one page."""
    page = collect_clean(
        name=params.name,
        config_yaml=yaml.safe_dump(params.config, sort_keys=False, allow_unicode=True),
        quarantines=io.groups["quarantines"], parts=io.groups["parts"], steps=io.groups["steps"],
    )  # fmt: skip
    write_json(io.outputs["flags"], page.flags)
    write_text(io.outputs["lines"], "".join(page.lines))
    write_text(io.outputs["report"], render_clean(page))
    write_json(io.outputs["card"], page.card())
    return page.totals
