"""Each step of a pretraining run with its artifacts in a bucket gives what a local run gives.

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
from lamflow.engine.graph import Graph
from lamflow.engine.manifest import ArgoOptions, manifest_yaml, render
from lamflow.store.protocol import Store
from lamflow.testing.s3_servers import rclone_server

IMAGE = os.environ.get("LAMFLOW_TEST_IMAGE")
DATA = Path(__file__).parents[2] / "workflows/data"
CONFIG = f"""\
kind: pretrain
name: tiny
datasets:
  - {{name: mol, path: {DATA}/mol3bpa}}
  - {{name: oxide, path: {DATA}/tio2, test: {DATA}/tio2_test}}
model: dpa1-tiny
train: {{steps: 20, batch: 4, threads: 1}}
resources: {{train: {{cpu: 1, gpu: 0}}}}
"""
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


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("local") / "pretrain.yaml"
    path.write_text(CONFIG)
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

    last = graph.steps[-1].name
    keys = {path: pods.keys[out.step.name][out.port] for path, out in graph.results.items()}
    download_result(store, keys, tmp_path / "result")
    ours, theirs = (read(folder / "metrics.json") for folder in (tmp_path / "result", local_result))
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, rel=1e-4), name
    shown = {
        key: float(text) for key, text in pods.numbers[last].items() if text not in ("", "null")
    }
    weighted = {f"weighted.{key.removeprefix('weighted_')}": value for key, value in shown.items()}
    assert weighted
    for name, value in weighted.items():
        assert value == pytest.approx(ours[name], rel=1e-6)
    assert names(tmp_path / "result") == names(local_result)
    # Nothing of the surroundings is in reports, cards, logs, scripts, checkpoints or the bucket.
    assert [*leaks(tmp_path), *leaks(file.parent)] == []

    finished = find_finished(store, "lamflow", graph)
    assert set(finished) == {step.key for step in graph.steps}
    assert finished[graph.steps[-1].key]["report"].endswith("/report.html")


def read(file: Path) -> dict[str, float]:
    """All numbers of a metrics.json by their dotted key."""

    def walk(node: Any, key: str) -> Iterator[tuple[str, float]]:
        if isinstance(node, dict):
            for name, value in node.items():
                yield from walk(value, f"{key}.{name}" if key else name)
        elif isinstance(node, (int, float)):
            yield key, node

    return dict(walk(json.loads(file.read_text()), ""))


def names(folder: Path) -> list[str]:
    """Paths of the files below `folder`."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("runner", RUNNERS)
def test_bad_input_ends_a_pod_with_2(runner: Runner, graph: Graph, tmp_path: Path) -> None:
    manifest = render(graph, ArgoOptions())
    template = next(t for t in manifest["spec"]["templates"] if t["name"] == "clean-mol")
    task = manifest["spec"]["templates"][0]["dag"]["tasks"][0]
    root = tmp_path / "pod"
    (root / "inputs/raw").mkdir(parents=True)
    (root / "inputs/raw/energy.npy").write_bytes(b"this is no array")
    (root / "inputs/task.json").write_text(task["arguments"]["artifacts"][0]["raw"]["data"])
    status, log = runner(template, root)
    assert status == 2, log
    assert "lamflow: InputError: " in log
    assert not (root / "outputs/step.json").exists()
