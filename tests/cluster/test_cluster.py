"""Runs on a real cluster: see conftest.py for what is wanted. Minutes, not seconds."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny

from lamflow.cli import main as command
from lamflow.config.kinds import names
from lamflow.config.run import Resources
from lamflow.engine.argo import ArgoEngine
from lamflow.engine.argo_status import attempts
from lamflow.engine.graph import Graph, Source
from lamflow.engine.manifest import ArgoOptions, render
from lamflow.engine.records import RunFolder
from lamflow.testing.toy_operators import AppendParams, FailParams, WriteParams, append, fail, write

IMAGE = os.environ.get("LAMFLOW_IMAGE", "")
PATIENCE_S = 900
SMALL = {"image": IMAGE, "cpu": 0.5, "memory": 1}
TINY = {"image": IMAGE, "cpu": 1, "memory": 4, "gpu": 0}
CONFIG = {"run": {"retries": 2, "timeout": 10.0}, "resources": {"cpu": SMALL}}


def wait(condition: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(3)
    return found


def toy(tmp_path: Path, seconds: float = 0.0) -> Graph:
    """A graph of three steps whose second one takes `seconds`."""
    source = tmp_path / "source.txt"
    source.write_text("source ")
    graph = Graph("toy", "cluster-test")
    first = graph.add("first", write, WriteParams(text="{{workflow.name}} '''"))
    middle = graph.add(
        "middle",
        append,
        AppendParams(text="b", seconds=seconds),
        {"first": Source.local(source)},
        {"more": {"one": first["text"]}},
    )
    last = graph.add("last", append, AppendParams(text="c"), {"first": middle["text"]})
    graph.results["all.txt"] = last["text"]
    return graph


def submit(engine: ArgoEngine, run: RunFolder, graph: Graph) -> None:
    engine.submit(run, graph, "kind: toy\n", CONFIG)


def phase(engine: ArgoEngine, run: RunFolder, name: str) -> str:
    steps = {step["name"]: step["phase"] for step in engine.status(run)["steps"]}
    return str(steps[name])


def end(engine: ArgoEngine, run: RunFolder) -> dict[str, Any]:
    wait(lambda: engine.is_over(run))
    return engine.status(run)


def test_text_files_numbers_and_logs_go_through(
    engine: ArgoEngine, run: RunFolder, tmp_path: Path
) -> None:
    submit(engine, run, toy(tmp_path))
    status = end(engine, run)
    assert status["status"] == "succeeded", status
    assert status["steps"][0]["numbers"]["length"] == len("{{workflow.name}} '''")
    result = engine.fetch_result(run)
    assert (result / "all.txt").read_text() == "source {{workflow.name}} '''bc"
    log = "".join(text for _, text in engine.logs(run, None, follow=False))
    assert "Traceback" not in log

    again = RunFolder(run.path.parent / "again")
    submit(engine, again, toy(tmp_path))
    assert again.read()["attempts"] == []  # the bucket had it all
    assert (engine.fetch_result(again) / "all.txt").exists()


def test_bad_input_is_not_tried_again_and_a_passing_fault_is(
    engine: ArgoEngine, run: RunFolder
) -> None:
    graph = Graph("toy", "cluster-test")
    first = graph.add("first", write, WriteParams(text="a"))
    graph.add("bad", fail, FailParams(how="input"), {"first": first["text"]})
    graph.add("crash", fail, FailParams(how="segfault"), {"first": first["text"]})
    submit(engine, run, graph)
    status = end(engine, run)
    steps = {step["name"]: step for step in status["steps"]}
    assert status["status"] == "failed"
    assert steps["bad"]["attempts"] == 1
    assert steps["crash"]["attempts"] == 3
    log = "".join(text for _, text in engine.logs(run, "bad", follow=False))
    assert "lamflow: InputError: the frames are bad" in log


def test_a_pod_that_is_killed_is_started_again(
    engine: ArgoEngine, run: RunFolder, tmp_path: Path, kubernetes: Any, namespace: str
) -> None:
    submit(engine, run, toy(tmp_path, seconds=60))
    wait(lambda: phase(engine, run, "middle") == "running")
    time.sleep(10)
    labels = f"workflows.argoproj.io/workflow={run.read()['workflow']},lamflow.io/step=middle"
    pods = kubernetes.CoreV1Api()
    for pod in pods.list_namespaced_pod(namespace, label_selector=labels).items:
        pods.delete_namespaced_pod(pod.metadata.name, namespace, grace_period_seconds=0)
    status = end(engine, run)
    assert status["status"] == "succeeded", status
    assert len(attempts(engine.api.get(run.read()["workflow"]), "middle")) >= 2


def test_stop_retry_suspend_and_resume(engine: ArgoEngine, run: RunFolder, tmp_path: Path) -> None:
    submit(engine, run, toy(tmp_path, seconds=30))
    wait(lambda: phase(engine, run, "middle") == "running")
    assert engine.stop(run)
    assert end(engine, run)["status"] == "stopped"
    assert not engine.stop(run)
    engine.retry(run)
    wait(lambda: phase(engine, run, "middle") == "running")
    assert engine.act(run, "suspend")
    wait(lambda: phase(engine, run, "middle") == "succeeded")
    time.sleep(15)
    assert phase(engine, run, "last") == "pending"
    assert engine.act(run, "resume")
    assert end(engine, run)["status"] == "succeeded"


def test_logs_follow_a_running_step(engine: ArgoEngine, run: RunFolder, tmp_path: Path) -> None:
    submit(engine, run, toy(tmp_path, seconds=5))
    for _ in engine.logs(run, None, follow=True):
        pass
    assert engine.is_over(run)


def test_a_run_can_be_terminated(engine: ArgoEngine, run: RunFolder, tmp_path: Path) -> None:
    submit(engine, run, toy(tmp_path, seconds=300))
    wait(lambda: phase(engine, run, "middle") == "running")
    assert engine.act(run, "terminate")
    assert end(engine, run)["status"] == "stopped"
    assert run.read()["workflow"] in {one["workflow"] for one in engine.list_cluster()}


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lamflow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Call the command as typed; give exit code, standard output and standard error."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lamflow", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            command.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err  # type: ignore[arg-type]

    return call


ON_CLUSTER = ("--engine", "argo", "--context", "cluster", "--json")


@pytest.mark.parametrize("kind", [kind for kind in tiny.KINDS if kind in names()])
def test_each_kind_runs_and_is_downloaded(
    kind: str, engine: ArgoEngine, tmp_path: Path, lamflow: Command
) -> None:
    file = tiny.write(kind, tmp_path / "files", {"cpu": TINY, "train": TINY})
    code, out, err = lamflow("submit", file, *ON_CLUSTER)
    assert code == 0, out + err
    run = json.loads(out.splitlines()[-1])["run"]
    status = json.loads(lamflow("status", run, "--json")[1])
    assert {step["phase"] for step in status["steps"]} == {"succeeded"}
    assert lamflow("download", run, "-o", tmp_path / "out")[0] == 0
    assert (tmp_path / "out" / tiny.KINDS[kind].compared).exists()
    assert (tmp_path / "out/report.html").stat().st_size > 1000
    assert lamflow("logs", run)[0] == 0


def test_two_nodes_train_one_model(engine: ArgoEngine, tmp_path: Path, lamflow: Command) -> None:
    profiles = {"cpu": TINY, "train": {**TINY, "nodes": 2}}
    file = tiny.write("pretrain", tmp_path / "files", profiles)
    code, out, err = lamflow("submit", file, *ON_CLUSTER)
    assert code == 0, out + err
    record = json.loads(Path(f"lamflow-runs/{json.loads(out)['run']}/run.json").read_text())
    nodes = engine.api.get(record["workflow"])["status"]["nodes"].values()
    assert {"train", "train-node-1"} <= {node["displayName"] for node in nodes}


def test_a_schedule_starts_runs(kubernetes: Any, engine: ArgoEngine, namespace: str) -> None:
    graph = Graph("toy", "scheduled")
    graph.add("first", write, WriteParams(text=str(time.time())))
    options = ArgoOptions(
        namespace=namespace, prefix=engine.place.prefix, resources={"cpu": Resources(**SMALL)}
    )
    manifest = render(graph, options)
    schedule = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {"generateName": "lamflow-test-", "namespace": namespace},
        "spec": {
            "schedules": ["* * * * *"],
            "concurrencyPolicy": "Forbid",
            "workflowSpec": manifest["spec"],
            "workflowMetadata": {"labels": manifest["metadata"]["labels"]},
        },
    }
    objects = kubernetes.CustomObjectsApi()
    place = ("argoproj.io", "v1alpha1", namespace)
    name = objects.create_namespaced_custom_object(*place, "cronworkflows", schedule)["metadata"][
        "name"
    ]

    def succeeded() -> bool:
        selector = f"workflows.argoproj.io/cron-workflow={name}"
        found = objects.list_namespaced_custom_object(*place, "workflows", label_selector=selector)
        return any(w.get("status", {}).get("phase") == "Succeeded" for w in found["items"])

    try:
        wait(succeeded, 300)
    finally:
        objects.delete_namespaced_custom_object(*place, "cronworkflows", name)
