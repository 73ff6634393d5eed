"""What Argo's status documents mean: of old and new releases, of retried and skipped nodes."""

from typing import Any

import pytest

from lamflow.engine.argo_status import (
    artifact_keys,
    attempts,
    read_number,
    step_of_pod,
    step_status,
    workflow_phase,
)


def node(identity: str, name: str, kind: str, phase: str, **more: Any) -> dict[str, Any]:
    return {"id": identity, "displayName": name, "type": kind, "phase": phase, **more}


def workflow(*nodes: dict[str, Any], phase: str = "Running", **spec: Any) -> dict[str, Any]:
    by_id = {node["id"]: node for node in nodes}
    return {"spec": spec, "status": {"phase": phase, "nodes": by_id}}


RETRIED = workflow(
    node("w-1", "w", "DAG", "Running"),
    node("w-2", "train", "Retry", "Running", children=["w-4", "w-3"],
         startedAt="2026-01-02T03:04:05Z"),
    node("w-3", "train(1)", "Pod", "Running", progress="30/200", startedAt="2026-01-02T03:10:00Z"),
    node("w-4", "train(0)", "Pod", "Error", message="pod deleted",
         startedAt="2026-01-02T03:04:05Z"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "spec", "meaning"),
    [
        ("", {}, "pending"),
        ("Pending", {}, "pending"),
        ("Running", {}, "running"),
        ("Running", {"suspend": True}, "suspended"),
        ("Succeeded", {}, "succeeded"),
        ("Failed", {}, "failed"),
        ("Error", {}, "failed"),
        ("Failed", {"shutdown": "Stop"}, "stopped"),
        ("Failed", {"shutdown": "Terminate"}, "stopped"),
    ],
)
def test_phases(phase: str, spec: dict[str, Any], meaning: str) -> None:
    assert workflow_phase(workflow(phase=phase, **spec)) == meaning
    assert workflow_phase({"metadata": {}}) == "pending"


def test_attempts_are_counted_in_their_order_and_the_last_one_tells_progress() -> None:
    assert [pod["id"] for pod in attempts(RETRIED, "train")] == ["w-4", "w-3"]
    status = step_status(RETRIED, "train")
    assert (status["phase"], status["attempts"], status["error"]) == ("running", 2, None)
    assert (status["progress"]["done"], status["progress"]["total"]) == (30.0, 200.0)


def test_a_step_that_waits_says_for_what() -> None:
    pending = workflow(node("w-1", "a", "Pod", "Pending", message="Insufficient nvidia.com/gpu"))
    status = step_status(pending, "a")
    assert (status["phase"], status["error"]) == ("pending", "Insufficient nvidia.com/gpu")
    assert step_status(pending, "not yet there")["phase"] == "pending"


def test_steps_of_a_stopped_run_are_stopped_and_not_failed() -> None:
    stopped = workflow(
        node("w-1", "a", "Pod", "Failed", message="workflow shutdown with strategy:  Stop"),
        phase="Failed", shutdown="Stop",
    )  # fmt: skip
    assert step_status(stopped, "a")["phase"] == "stopped"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("3", 3),
        ("0.25", 0.25),
        ("null", None),
        ("", None),
        (None, None),
        ("true", True),
        ("cpu", "cpu"),
        (["1", "2.5"], [1, 2.5]),
        ('["1", "2"]', ["1", "2"]),
    ],
)
def test_numbers_of_all_shapes(value: Any, number: Any) -> None:
    assert read_number(value) == number


def test_outputs_of_skipped_nodes_are_no_numbers() -> None:
    skipped = workflow(
        node("w-1", "a", "Pod", "Skipped", outputs={"parameters": [{"name": "n"}]}),
        node("w-2", "b", "Pod", "Omitted"),
    )
    assert step_status(skipped, "a")["numbers"] == {"n": None}
    assert step_status(skipped, "b")["numbers"] == {}


def test_places_of_artifacts() -> None:
    artifacts = [{"name": "a", "s3": {"key": "k/a"}}, {"name": "raw", "raw": {"data": "x"}}]
    assert artifact_keys({"outputs": {"artifacts": artifacts}}) == {"a": "k/a"}
    assert artifact_keys({"outputs": None}) == {}


def test_pods_belong_to_steps_in_both_ways_of_naming_them() -> None:
    assert step_of_pod(RETRIED, "w-train-3") == "train"
    assert step_of_pod(RETRIED, "w-4") == "train"
    assert step_of_pod(RETRIED, "other-77") is None
