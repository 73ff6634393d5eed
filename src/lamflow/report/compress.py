"""The report of a compression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lamflow.deploy.package import MODEL, DeploymentCard, read_deployment_card
from lamflow.files import read_json
from lamflow.report import dag_svg, text
from lamflow.report.html import render
from lamflow.report.model import StepRecord

_DIFFERENCES = (
    ("Energy", "energy_meV_per_atom", "meV/atom"),
    ("Force component", "force_meV_per_A", "meV/Å"),
    ("Virial component", "virial_meV_per_atom", "meV/atom"),
)


@dataclass(frozen=True)
class CompressReport:
    """What a compression gave.

    Attributes
    ----------
    name, status, config_yaml
        The run and its configuration.
    card
        The deployment's card.
    sizes
        Bytes of each file of the deployment.
    steps
        Records of the steps.
    """

    name: str
    status: str
    config_yaml: str
    card: DeploymentCard
    sizes: Mapping[str, int]
    steps: Sequence[StepRecord]


def collect_compress(
    name: str, config_yaml: str, deploy: Path, steps: Mapping[str, Path]
) -> CompressReport:
    """Read the products of a run: the deployment and the records of the steps."""
    card = read_deployment_card(deploy)
    return CompressReport(
        name=name,
        status="succeeded",
        config_yaml=config_yaml,
        card=card,
        sizes={file: (deploy / file).stat().st_size for file in card.files},
        steps=[StepRecord.from_record(read_json(path)) for path in steps.values()],
    )


def render_compress(report: CompressReport) -> str:
    """Write the page: a whole HTML document that needs nothing beside it."""
    card = report.card
    starts = [s.started for s in report.steps if s.started is not None]
    ends = [s.finished for s in report.steps if s.finished is not None]
    return render(
        "compress.html.j2",
        report=report,
        kind="compress",
        seconds=max(ends) - min(starts) if starts and ends else None,
        headline=deployment_headline(card, report.sizes[MODEL]),
        differences=difference_rows(card),
        files=file_rows(card, report.sizes),
        settings=list(text.flatten(card.table)),
        dag=dag_svg.lay_out(report.steps),
        node_size=(dag_svg.NODE_WIDTH, dag_svg.NODE_HEIGHT),
        model=list(text.flatten(card.model)),
        versions=list(text.flatten(card.versions)),
    )


def deployment_headline(card: DeploymentCard, size: int) -> str:
    """Say in a sentence what was deployed and how exactly."""
    what = f"{card.parent}, head {card.head}, for {', '.join(card.type_map)}: {size / 1e6:.2f} MB"
    if not card.compressed:
        return f"{what}, frozen and not compressed."
    frames = text.count(card.agreement["frames"])
    force = text.error(card.agreement["force_meV_per_A"])
    return (
        f"{what}, compressed; forces within {force} meV/Å of the frozen model's on {frames} frames."
    )


def difference_rows(card: DeploymentCard) -> list[dict[str, str]]:
    """Largest differences of compressed and frozen model, for a table."""
    return [
        {"name": words, "value": f"{text.error(card.agreement[key])} {unit}"}
        for words, key, unit in _DIFFERENCES
        if card.agreement.get(key) is not None
    ]


def file_rows(card: DeploymentCard, sizes: Mapping[str, int]) -> list[dict[str, str]]:
    """Files of the deployment with size and hash, for a table."""
    return [
        {"name": file, "size": f"{sizes[file] / 1000:.1f} kB", "sha256": digest}
        for file, digest in card.files.items()
    ]
