"""`kind: coverage`: check each dataset, compare it with what a model knows → report."""

from pathlib import Path

from lamflow.ops.clean import CleanParams, clean
from lamflow.ops.coverage import CoverageParams, coverage
from lamflow.ops.coverage_report import CoverageReportParams, coverage_report

from lamflow.config.coverage import CoverageConfig
from lamflow.config.portable import portable
from lamflow.engine.graph import Graph, Source
from lamflow.engine.inputs import model_source_of, source_of
from lamflow.errors import InputError, Problem
from lamflow.train.training_data import find_training_data


def build(config: CoverageConfig) -> Graph:
    """Compose the graph of a coverage run; datasets are compared side by side.

    Raises
    ------
    InputError
        There is no such model, or its training data are not known.
    """
    graph = Graph(config.kind, config.name)
    models = {str(n): model_source_of(ref) for n, ref in enumerate(config.model, start=1)}
    training = _training(config, models["1"])
    cleaned = {
        spec.name: graph.add(
            f"clean-{spec.name}",
            clean,
            CleanParams(
                name=spec.name, format=spec.format, type_map=spec.type_map, dft=spec.dft,
                licence=spec.licence, source=spec.source, settings=config.clean,
            ),
            {"raw": source_of(spec.path)},
        )
        for spec in config.datasets
    }  # fmt: skip
    params = CoverageParams(settings=config.coverage, head=config.head, seed=config.seed)
    judged = {
        name: graph.add(
            f"coverage-{name}", coverage, params, {"dataset": step["dataset"]},
            {"models": models, "training": training},
        )
        for name, step in cleaned.items()
    }  # fmt: skip
    end = graph.add(
        "report",
        coverage_report,
        CoverageReportParams(name=config.name, config=portable(config)),
        groups={
            "coverages": {name: step["coverage"] for name, step in judged.items()},
            "quarantines": {name: step["quarantine"] for name, step in cleaned.items()},
            "models": models,
            "steps": graph.records(),
        },
    )
    graph.results = {
        **{f"subset/{name}": step["subset"] for name, step in judged.items()},
        **{f"quarantine/{name}": step["quarantine"] for name, step in cleaned.items()},
        "coverage.json": end["coverage"],
        "frames.jsonl": end["lines"],
        "report.html": end["report"],
        "card.json": end["card"],
    }
    return graph


def _training(config: CoverageConfig, model: Source) -> dict[str, Source]:
    """What taught the model: as the user says, else as the run that made it left it."""
    if not config.training:
        found = find_training_data(Path(model.location))
        return {name: Source.local(path) for name, path in found.items()}
    sources = {}
    for spec in config.training:
        source = source_of(spec.path)
        if not Path(source.location).exists():
            raise InputError(Problem(spec.path, "training", "no such file or folder"))
        sources[spec.name] = source
    return sources
