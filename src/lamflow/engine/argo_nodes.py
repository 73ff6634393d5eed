"""Training over several nodes: a pod for each, which find each other through one headless Service.

Kubernetes gives a pod that has a host name and a subdomain a name in its DNS, if a headless Service
of the subdomain's name selects it (`k8s/base/multi-node.yaml`). So nothing is made for a run, and
pods need no rights. Pod 0 is the step itself; the others have the same inputs, no outputs, and the
same retries: when one is lost, all begin again at the last checkpoint of the volume that they
share, or at the start.
"""

import json
from copy import deepcopy
from typing import Any

from lamflow.config.run import Resources
from lamflow.engine.argo_pod import POD_PATCH
from lamflow.engine.graph import Step
from lamflow.train.nodes import ADDRESS, COUNT, RANK

SERVICE = "lamflow-nodes"
LABEL = "lamflow.io/multi-node"
_PORT = 29400
_STEP = "lamflow.io/step"


def host_name(number: int, rank: int) -> str:
    """Host name of a node's pod: that of the step with this number in the graph, in this run."""
    return f"{{{{workflow.uid}}}}-{number}-{rank}"


def add_nodes(dag: dict[str, Any], template: dict[str, Any], number: int, count: int) -> list[Any]:
    """Make `template` the first of `count` nodes, give the DAG tasks for the others.

    Returns
    -------
    The templates of the other nodes.
    """
    (task,) = [task for task in dag["tasks"] if task["template"] == template["name"]]
    others = []
    for rank in range(1, count):
        other = deepcopy(template)
        other["name"] = f"{template['name']}-node-{rank}"
        other["metadata"]["labels"][_STEP] = other["name"][:63].rstrip("-")
        del other["outputs"]
        _place(other, number, rank, count)
        others.append(other)
        dag["tasks"].append({**deepcopy(task), "name": other["name"], "template": other["name"]})
    _place(template, number, 0, count)
    return others


def _place(template: dict[str, Any], number: int, rank: int, count: int) -> None:
    """Tell a pod its name and its rank."""
    template["metadata"]["labels"][LABEL] = "true"
    variables = {
        COUNT: str(count), RANK: str(rank), ADDRESS: f"{host_name(number, 0)}.{SERVICE}:{_PORT}"
    }  # fmt: skip
    template["script"]["env"] = [
        *template["script"]["env"],
        *({"name": name, "value": value} for name, value in variables.items()),
    ]
    patch = json.loads(template.get("podSpecPatch") or json.dumps(POD_PATCH))
    patch |= {"hostname": host_name(number, rank), "subdomain": SERVICE}
    template["podSpecPatch"] = json.dumps(patch)


def nodes_of(step: Step, wanted: Resources) -> int:
    """How many pods a step gets: more than one only where it trains."""
    return (wanted.nodes or 1) if step.operator.profile == "train" else 1
