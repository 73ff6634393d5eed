"""What an Argo workflow's status says about a run and its steps. Plain data in, plain data out."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from lamflow.engine.state import FAILED, PENDING, RUNNING, STOPPED, SUCCEEDED

SUSPENDED = "suspended"
GOING_ON = (PENDING, RUNNING, SUSPENDED)
_PHASES = {
    "Pending": PENDING, "Running": RUNNING, "Succeeded": SUCCEEDED, "Failed": FAILED,
    "Error": FAILED, "Skipped": PENDING, "Omitted": PENDING, "Daemoned": RUNNING,
}  # fmt: skip
Node = Mapping[str, Any]


def workflow_phase(workflow: Mapping[str, Any]) -> str:
    """Status of the run: pending, running, suspended, succeeded, failed or stopped."""
    phase = _PHASES.get(workflow.get("status", {}).get("phase", ""), PENDING)
    spec = workflow.get("spec", {})
    if phase == RUNNING and spec.get("suspend"):
        return SUSPENDED
    if phase == FAILED and spec.get("shutdown"):
        return STOPPED
    return phase


def step_node(workflow: Mapping[str, Any], name: str) -> Node | None:
    """Return the node that stands for a step, that of all attempts if there are several."""
    found = [node for node in _nodes(workflow) if node.get("displayName") == name]
    kinds = {node.get("type"): node for node in found}
    return kinds.get("Retry") or kinds.get("Pod") or (found[0] if found else None)


def attempts(workflow: Mapping[str, Any], name: str) -> list[Node]:
    """Return the pods of a step in the order in which they were started."""
    node = step_node(workflow, name)
    if node is None or node.get("type") != "Retry":
        return [node] if node is not None and node.get("type") == "Pod" else []
    by_id = {other["id"]: other for other in _nodes(workflow)}
    children = [by_id[child] for child in node.get("children") or [] if child in by_id]
    return sorted(children, key=lambda child: child.get("startedAt") or "")


def step_status(workflow: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Status of one step, with the keys of `lamflow.engine.records.run_status`."""
    node: Node = step_node(workflow, name) or {}
    pods = attempts(workflow, name)
    last: Node = pods[-1] if pods else node
    phase = _PHASES.get(node.get("phase", ""), PENDING)
    if phase == FAILED and workflow.get("spec", {}).get("shutdown"):
        phase = STOPPED
    started, finished = _seconds(node.get("startedAt")), _seconds(node.get("finishedAt"))
    message = last.get("message") or node.get("message")
    waits = phase == PENDING and message
    return {
        "phase": phase,
        "started": started,
        "finished": finished,
        "attempts": len(pods),
        "error": message if phase in (FAILED, STOPPED) or waits else None,
        "progress": _progress(last) if phase == RUNNING else {},
        "numbers": numbers(node) or numbers(last),
    }


def numbers(node: Node) -> dict[str, Any]:
    """Output parameters of a node, as numbers where they are such.

    Argo gives texts; since 3.5.11 those of several pods together as a list. A node that was
    skipped has the default, an empty text, or no value at all: None.
    """
    parameters = (node.get("outputs") or {}).get("parameters") or []
    return {item["name"]: read_number(item.get("value")) for item in parameters}


def read_number(value: Any) -> Any:
    """Read what stands in an output parameter."""
    if isinstance(value, list):
        return [read_number(item) for item in value]
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except ValueError:
        return value


def artifact_keys(node: Node) -> dict[str, str]:
    """Where the outputs of a node lie, by port."""
    artifacts = (node.get("outputs") or {}).get("artifacts") or []
    return {item["name"]: item["s3"]["key"] for item in artifacts if item.get("s3", {}).get("key")}


def step_of_pod(workflow: Mapping[str, Any], pod: str) -> str | None:
    """Name the step of a pod: node and pod end with the same number, whatever stands before."""
    number = pod.rpartition("-")[2]
    for node in _nodes(workflow):
        if node.get("type") == "Pod" and node["id"].rpartition("-")[2] == number:
            return str(node["displayName"]).partition("(")[0]
    return None


def _nodes(workflow: Mapping[str, Any]) -> Iterator[Node]:
    yield from (workflow.get("status", {}).get("nodes") or {}).values()


def _progress(node: Node) -> dict[str, Any]:
    """Read Argo's ``done/total``; 0/1 is what it says before a step has said anything."""
    done, _, total = str(node.get("progress") or "").partition("/")
    if not total or (done, total) == ("0", "1"):
        return {}
    since = _seconds(node.get("startedAt")) or 0.0
    now = datetime.now().timestamp()
    return {
        "done": float(done), "total": float(total), "since": since, "now": now, "values": {},
    }  # fmt: skip


def _seconds(time: str | None) -> float | None:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() if time else None
