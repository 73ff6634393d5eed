"""The Argo engine passes the contract of engines: the steps are run, Argo is a stand-in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from argo_pods import Pods, in_process
from argo_stub import NAMESPACE, TOKEN, argo_stub

from lamflow.context import add_context
from lamflow.engine.argo import ArgoEngine
from lamflow.engine.engines import Engine
from lamflow.engine.graph import Graph
from lamflow.engine.records import RunFolder
from lamflow.testing.engine import EngineContract, Start
from lamflow.testing.s3_servers import BUCKET, rclone_server


class TestArgoEngine(EngineContract):
    @pytest.fixture
    def start(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        monkeypatch.setenv("STUB_TOKEN", TOKEN)
        monkeypatch.setattr("lamflow.engine.argo._FRESH_S", 0.0)
        with rclone_server(tmp_path / "rclone") as server, argo_stub() as stub:
            for name, value in server.environment.items():
                monkeypatch.setenv(name, value)
            store = stub.store = server.store()
            stub.pods = lambda manifest: Pods(manifest, store, tmp_path / "pods", in_process)
            argo = {"server": stub.url, "namespace": NAMESPACE, "token": "environment:STUB_TOKEN"}
            place = {"bucket": BUCKET, "prefix": "p", "endpoint": server.endpoint,
                     "region": "us-east-1"}  # fmt: skip
            add_context("stub", {"argo": argo, "store": place})

            def start(graph: Graph) -> tuple[Engine, RunFolder]:
                engine = ArgoEngine("stub")
                run = RunFolder(tmp_path / "lamflow-runs" / graph.name)
                engine.submit(run, graph, "kind: toy\n", {"run": {}, "resources": {}})
                while not engine.is_over(run):
                    pass
                return engine, run

            yield start
            assert stub.errors == []
