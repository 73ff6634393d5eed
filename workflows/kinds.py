"""The graph of each workflow kind."""

from importlib import import_module

from pydantic import BaseModel

from lamflow.engine.graph import Graph

_BUILDERS = {
    "clean": "lamflow.workflows.clean",
    "compress": "lamflow.workflows.compress",
    "coverage": "lamflow.workflows.coverage",
    "evaluate": "lamflow.workflows.evaluate",
    "finetune": "lamflow.workflows.finetune",
    "learn": "lamflow.workflows.learn",
    "pretrain": "lamflow.workflows.pretrain",
}


def build_graph(config: BaseModel) -> Graph:
    """Compose the graph of a configuration of any kind."""
    kind: str = config.kind  # type: ignore[attr-defined]
    graph: Graph = import_module(_BUILDERS[kind]).build(config)
    return graph
