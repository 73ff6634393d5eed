"""Operator: the report of a compression."""

from collections.abc import Mapping

import yaml

from lamflow.config.base import JsonObject, StrictModel
from lamflow.deploy.package import read_deployment_card
from lamflow.engine.operator import StepIO, operator
from lamflow.files import sha256_file, write_json, write_text
from lamflow.report.compress import collect_compress, render_compress


class CompressReportParams(StrictModel):
    """What the report is about."""

    name: str
    """Name of the run."""
    config: JsonObject
    """The configuration, as it was run."""


@operator(
    params=CompressReportParams,
    inputs={"deploy": "the deployment"},
    groups={"steps": "records of the steps"},
    outputs={"report": "HTML page", "metrics": "metrics.json", "card": "card of the run"},
    numbers=("compressed", "force_meV_per_A"),
)
def compress_report(params: CompressReportParams, io: StepIO) -> Mapping[str, float | bool | None]:
    """Put the proof of equality, the files and how to use them on one page."""
    deploy = io.inputs["deploy"]
    card = read_deployment_card(deploy)
    config = yaml.safe_dump(params.config, sort_keys=False, allow_unicode=True)
    page = collect_compress(params.name, config, deploy, io.groups["steps"])
    write_text(io.outputs["report"], render_compress(page))
    write_json(io.outputs["metrics"], {"compressed": card.compressed, "agreement": card.agreement})
    model = sha256_file(deploy / "card.json")
    write_json(io.outputs["card"], {"kind": "compress", "name": params.name, "deploy": model})
    return {"compressed": card.compressed, "force_meV_per_A": card.agreement.get("force_meV_per_A")}
