"""`kind: compress`: freeze, compress, prove equality, write the deployment → report."""

from pathlib import Path

from lamflow.ops.compress import CompressParams, compress
from lamflow.ops.compress_report import CompressReportParams, compress_report

from lamflow.config.compress import CompressConfig
from lamflow.config.model_ref import is_stage
from lamflow.config.portable import portable
from lamflow.engine.graph import Graph
from lamflow.engine.inputs import model_source_of, source_of
from lamflow.errors import InputError, Problem


def build(config: CompressConfig) -> Graph:
    """Compose the graph of a compression.

    Raises
    ------
    InputError
        There is no such model or head, or it can't be compressed.
    """
    source = model_source_of(config.model)
    if not is_stage(source.location):
        refuse_early(Path(source.location), config.head, compress=config.compress)
    graph = Graph(config.kind, config.name)
    made = graph.add(
        "compress",
        compress,
        CompressParams(name=config.name, head=config.head, settings=config.settings()),
        {"model": source, "frames": source_of(config.frames)},
    )
    end = graph.add(
        "report",
        compress_report,
        CompressReportParams(name=config.name, config=portable(config)),
        {"deploy": made["deploy"]},
        {"steps": graph.records()},
    )
    graph.results = {
        "deploy": made["deploy"],
        "metrics.json": end["metrics"],
        "report.html": end["report"],
        "card.json": end["card"],
    }
    return graph


def refuse_early(folder: Path, head: str | None, *, compress: bool) -> None:
    """Refuse, by its card, what the step would refuse; a frozen file has no such card."""
    from lamflow.deploy.build import refusal
    from lamflow.deploy.compress import why_not
    from lamflow.train.given import open_model

    given = open_model(folder)
    given.head(head)
    if compress and given.card.model and (reason := why_not(given.card.model)):
        raise InputError(Problem(str(folder), "model", refusal(reason)))
