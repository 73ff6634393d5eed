"""Each step of a run with its artifacts in a bucket gives what a local run gives.

The scripts of the rendered manifest are run as processes; and in containers as restricted as the
pods are, where LAMFLOW_TEST_IMAGE names an image of images/base.Containerfile (`make test-cloud`).
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from argo_pods import InContainer, Pods, Runner, in_process
from lamflow.workflows.kinds import build_graph
from scan import CREDENTIALS, leaks, with_credentials

from lamflow.config.checks import load_checked_config
from lamflow.engine.argo_store import download_result, find_finished, upload_inputs
from lamflow.engine.dflow_graph import task_json
from lamflow.engine.graph import Graph
from lamflow.engine.manifest import ArgoOptions, manifest_yaml, render
from lamflow.files import read_json
from lamflow.store.protocol import Store
from lamflow.testing.s3_servers import rclone_server

IMAGE = os.environ.get("LAMFLOW_TEST_IMAGE")
DATA = Path(__file__).parents[2] / "workflows/data"
PRETRAIN = f"""\
kind: pretrain
name: tiny
datasets:
  - {{name: mol, path: {DATA}/mol3bpa}}
  - {{name: oxide, path: {DATA}/tio2, test: {DATA}/tio2_test}}
model: dpa1-tiny
train: {{steps: 20, batch: 4, threads: 1}}
resources: {{train: {{cpu: 1, gpu: 0}}}}
"""
CLEAN = f"""\
kind: clean
name: tiny
datasets: [{{name: mol, path: {DATA}/mol3bpa}}]
"""
KINDS = {"pretrain": (PRETRAIN, "metrics.json"), "clean": (CLEAN, "flags.json")}
"""Configuration, and the file of the result whose numbers are compared."""
RUNNERS: list[Any] = [
    pytest.param(in_process, id="process"),
    pytest.param(
        InContainer(IMAGE or ""),
        id="container",
        marks=pytest.mark.skipif(
            not IMAGE or not shutil.which("podman"), reason="LAMFLOW_TEST_IMAGE or podman is absent"
        ),
    ),
]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def file(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(kind) / f"{kind}.yaml"
    path.write_text(KINDS[kind][0])
    return path


@pytest.fixture(scope="module")
def graph(file: Path) -> Graph:
    return build_graph(load_checked_config(file, []).config)


@pytest.fixture(scope="module")
def local_result(file: Path) -> Path:
    ended = subprocess.run(
        [sys.executable, "-m", "lamflow", "submit", str(file), "--json"],
        cwd=file.parent, capture_output=True, text=True, timeout=600,
        env=with_credentials(os.environ) | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return Path(json.loads(ended.stdout)["result"])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with rclone_server(tmp_path / "rclone") as server:
        yield server.store()


@pytest.mark.slow
@pytest.mark.parametrize("runner", RUNNERS)
def test_steps_in_pods_give_what_a_local_run_gives(
    runner: Runner,
    kind: str,
    graph: Graph,
    file: Path,
    local_result: Path,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    config = load_checked_config(file, []).config
    manifest = yaml.safe_load(manifest_yaml(graph, config))
    upload_inputs(store, "lamflow", graph)
    (tmp_path / "pods").mkdir()
    pods = Pods(manifest, store, tmp_path / "pods", runner)
    pods.run_all()

    keys = {path: pods.keys[out.step.name][out.port] for path, out in graph.results.items()}
    download_result(store, keys, tmp_path / "result")
    ours, theirs = (read(f / KINDS[kind][1]) for f in (tmp_path / "result", local_result))
    assert ours == pytest.approx(theirs, rel=1e-4)
    for step in graph.steps:
        record = local_result.parent / "steps" / step.key / "outputs/step.json"
        told = {name: json.loads(text) for name, text in pods.numbers[step.name].items()}
        assert steady(told) == pytest.approx(steady(read_json(record)["numbers"]), rel=1e-4)
    assert names(tmp_path / "result") == names(local_result)
    # Nothing of the surroundings is in reports, cards, logs, scripts, checkpoints or the bucket.
    assert [*leaks(tmp_path), *leaks(file.parent)] == []

    finished = find_finished(store, "lamflow", graph)
    assert set(finished) == {step.key for step in graph.steps}
    assert finished[graph.steps[-1].key]["report"].endswith("/report.html")


def steady(numbers: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a step that don't tell how fast the machine was; null and words left out."""
    return {
        name: value
        for name, value in numbers.items()
        if "seconds" not in name and isinstance(value, (int, float))
    }


def read(file: Path) -> dict[str, float]:
    """All numbers of a JSON file by their dotted key."""

    def walk(node: Any, key: str) -> Iterator[tuple[str, float]]:
        if isinstance(node, dict):
            for name, value in node.items():
                yield from walk(value, f"{key}.{name}" if key else name)
        elif isinstance(node, list):
            for number, value in enumerate(node):
                yield from walk(value, f"{key}.{number}")
        elif isinstance(node, (int, float)):
            yield key, node

    return dict(walk(json.loads(file.read_text()), ""))


def names(folder: Path) -> list[str]:
    """Paths of the files below `folder`."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("runner", RUNNERS)
def test_bad_input_ends_a_pod_with_2(runner: Runner, graph: Graph, tmp_path: Path) -> None:
    first = graph.steps[0]
    template = next(
        template
        for template in render(graph, ArgoOptions())["spec"]["templates"]
        if template["name"] == first.name
    )
    root = tmp_path / "pod"
    (root / "inputs/raw").mkdir(parents=True)
    (root / "inputs/raw/energy.npy").write_bytes(b"this is no array")
    (root / "inputs/task.json").write_text(task_json(first))
    status, log = runner(template, root)
    assert status == 2, log
    assert "lamflow: InputError: " in log
    assert not (root / "outputs/step.json").exists()
