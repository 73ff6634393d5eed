"""The local engine passes the contract of engines."""

from pathlib import Path

import pytest

from lamflow.engine.engines import Engine, LocalEngine
from lamflow.engine.graph import Graph
from lamflow.engine.local import LocalOptions, prepare_run, start_run
from lamflow.engine.records import RunFolder
from lamflow.testing.engine import EngineContract, Start


class TestLocalEngine(EngineContract):
    @pytest.fixture
    def start(self, tmp_path: Path) -> Start:
        def start(graph: Graph) -> tuple[Engine, RunFolder]:
            run = RunFolder(tmp_path / "lamflow-runs" / graph.name)
            prepare_run(run, graph, "kind: toy\n", {}, LocalOptions())
            start_run(run).process.wait(60)
            return LocalEngine(), run

        return start
