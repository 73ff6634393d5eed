"""`kind: clean`: check each dataset, set wrong frames aside, split what is left → report."""

from lamflow.ops.clean_report import CleanReportParams, clean_report
from lamflow.ops.curate import CurateParams, curate
from lamflow.ops.split import SplitParams, split

from lamflow.config.curate import CleanConfig
from lamflow.config.portable import portable
from lamflow.engine.graph import Graph
from lamflow.engine.inputs import source_of


def build(config: CleanConfig) -> Graph:
    """Compose the graph of a cleaning run; datasets are cleaned side by side."""
    graph = Graph(config.kind, config.name)
    cleaned = {
        spec.name: graph.add(
            f"curate-{spec.name}",
            curate,
            CurateParams(
                name=spec.name, format=spec.format, type_map=spec.type_map, dft=spec.dft,
                licence=spec.licence, source=spec.source, settings=config.checks,
                seed=config.seed,
            ),
            {"raw": source_of(spec.path)},
        )
        for spec in config.datasets
    }  # fmt: skip
    divide = SplitParams(fractions=config.split.fractions(own_test=False), seed=config.seed)
    parts = {
        name: graph.add(f"split-{name}", split, divide, {"dataset": step["dataset"]})
        for name, step in cleaned.items()
    }
    end = graph.add(
        "report",
        clean_report,
        CleanReportParams(name=config.name, config=portable(config)),
        groups={
            "quarantines": {name: step["quarantine"] for name, step in cleaned.items()},
            "parts": {name: step["parts"] for name, step in parts.items()},
            "steps": graph.records(),
        },
    )
    graph.results = {
        **{f"data/{name}": step["parts"] for name, step in parts.items()},
        **{f"quarantine/{name}": step["quarantine"] for name, step in cleaned.items()},
        "flags.json": end["flags"],
        "flags.jsonl": end["lines"],
        "report.html": end["report"],
        "card.json": end["card"],
    }
    return graph
