"""Training over several machines, played with two processes on this one."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lamflow.errors import HelpedError, InputError, TransientError
from lamflow.train import nodes
from lamflow.train.nodes import Nodes


def test_without_the_engine_there_is_one_node() -> None:
    assert Nodes.from_environment() == Nodes()
    assert Nodes().launch(2) == ["--standalone", "--nproc-per-node=2"]


@pytest.mark.parametrize(
    ("count", "rank", "address"),
    [("2", "2", "a:1"), ("2", "-1", "a:1"), ("2", "0", ""), ("2", "0", "a"), ("x", "0", "a:1")],
)
def test_variables_that_do_not_go_together_are_refused(
    monkeypatch: pytest.MonkeyPatch, count: str, rank: str, address: str
) -> None:
    for name, value in ((nodes.COUNT, count), (nodes.RANK, rank), (nodes.ADDRESS, address)):
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=nodes.RANK):
        Nodes.from_environment()


def test_ranks_stay_and_the_first_node_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    words = Nodes(4, 3, "first.lamflow-nodes:29400").launch(8)
    assert {"--nnodes=4", "--node-rank=3", "--nproc-per-node=8"} <= set(words)
    assert {"--master-addr=first.lamflow-nodes", "--master-port=29400"} <= set(words)


def test_a_first_node_that_does_not_come_may_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "JOIN_S", 0)
    with pytest.raises(TransientError, match=r"node 0 \(no-such-host.invalid\) did not come"):
        Nodes(2, 1, "no-such-host.invalid:1").wait_for_first()
    Nodes(2, 1, "localhost:1").wait_for_first()


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_deepmd_trainer import two_heads
from lamflow.errors import LamflowError
from lamflow.train.deepmd_trainer import DeepmdTrainer
try:
    DeepmdTrainer().train(two_heads(Path({folder!r})), Path({folder!r}) / "run")
except LamflowError as error:
    print(type(error).__name__, error)
    sys.exit(error.exit_code)
"""


@pytest.mark.slow
def test_two_nodes_train_one_model(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {nodes.COUNT: "2", nodes.ADDRESS: f"localhost:{port}"}
    processes = []
    for rank in (0, 1):
        folder = tmp_path / str(rank)
        folder.mkdir()
        script = SCRIPT.format(here=str(Path(__file__).parent), folder=str(folder))
        environment = {**os.environ, **variables, nodes.RANK: str(rank)}
        processes.append(
            subprocess.Popen([sys.executable, "-c", script], env=environment, text=True,
                             stdout=subprocess.PIPE)
        )  # fmt: skip
    said = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, HelpedError.exit_code], said
    assert "HelpedError node 1 of 2 has helped node 0 to train" in said[1]
    assert (tmp_path / "0/run/model.pt").exists()
    assert not (tmp_path / "1/run/model.pt").exists()
    assert not list((tmp_path / "1").rglob("model.ckpt-*.pt"))  # it wrote no checkpoint
    curve = (tmp_path / "0/run/lcurve.out").read_text().splitlines()
    assert curve[-1].split()[0] == "10"
