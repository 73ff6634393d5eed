"""The graph of each workflow kind."""

from importlib import import_module
from typing import Any

from pydantic import BaseModel

from lamflow.engine.graph import Graph

_BUILDERS = {
    "clean": "lamflow.workflows.clean",
    "compress": "lamflow.workflows.compress",
    "coverage": "lamflow.workflows.coverage",
    "distill": "lamflow.workflows.distill",
    "evaluate": "lamflow.workflows.evaluate",
    "finetune": "lamflow.workflows.finetune",
    "learn": "lamflow.workflows.learn",
    "pipeline": "lamflow.workflows.pipeline",
    "pretrain": "lamflow.workflows.pretrain",
    "update": "lamflow.workflows.update",
}


_LOOKING = frozenset({"update"})  # their graphs depend on what there is to do at the moment


def build_graph(config: BaseModel, *, cluster: bool = False, standing: bool = False) -> Graph:
    """Compose the graph of a configuration of any kind.

    Parameters
    ----------
    config
        The configuration.
    cluster
        Whether the graph is to run on a cluster.
    standing
        Whether it is to run later, and more than once: in a manifest or by a schedule.
    """
    kind: str = config.kind  # type: ignore[attr-defined]
    build = import_module(_BUILDERS[kind]).build
    options = {"cluster": cluster, "standing": standing} if kind in _LOOKING else {}
    graph: Graph = build(config, **options)
    return graph


def at_most(config: BaseModel) -> tuple[dict[str, Any], str] | None:
    """The most that a run may cost, as numbers and in words; None for kinds without a loop."""
    kind: str = config.kind  # type: ignore[attr-defined]
    told = getattr(import_module(_BUILDERS[kind]), "at_most", None)
    return None if told is None else told(config)
