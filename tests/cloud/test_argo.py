"""The command against a stand-in for Argo's server that checks every request, and a real bucket."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from argo_stub import NAMESPACE, TOKEN, Stub, argo_stub
from certificates import certificate

from lamflow.cli import main as command
from lamflow.context import add_context
from lamflow.engine.argo import ArgoEngine
from lamflow.errors import UnreachableError
from lamflow.testing.s3_servers import BUCKET, S3Server, moto_server

DATA = Path(__file__).parents[2] / "workflows/data/mol3bpa"
FILE = "pretrain.yaml"
CONFIG = f"""\
kind: pretrain
name: tiny
datasets: [{{name: mol, path: {DATA}}}]
model: dpa1-tiny
train: {{steps: 10}}
"""
STEPS = 5


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_server() as server:
        yield server


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    return f"team/{tmp_path.name}"


@pytest.fixture
def stub(server: S3Server) -> Iterator[Stub]:
    with argo_stub() as stub:
        stub.store = server.store()
        yield stub
        assert stub.errors == []


@pytest.fixture(autouse=True)
def surroundings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: S3Server, stub: Stub, prefix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(FILE).write_text(CONFIG)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("LAMFLOW_CONTEXT", raising=False)
    monkeypatch.setenv("STUB_TOKEN", TOKEN)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("lamflow.engine.argo._FRESH_S", 0.0)
    monkeypatch.setattr("lamflow.engine.argo._RECONNECT_S", 0.01)
    monkeypatch.setattr("lamflow.cli.live._EVERY_S", 0.01)
    new_context(stub.url, server, prefix)


def new_context(url: str, server: S3Server, prefix: str, ca: Path | None = None) -> None:
    argo = {"server": url, "namespace": NAMESPACE, "token": "environment:STUB_TOKEN"}
    place = {"bucket": BUCKET, "prefix": prefix, "endpoint": server.endpoint, "region": "us-east-1"}
    values = {"argo": argo | ({"ca": str(ca)} if ca else {}), "store": place}
    add_context("stub", values, replace=True)


@pytest.fixture
def lamflow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Call the command as typed; give exit code, standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lamflow", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            command.main()
        shown = capsys.readouterr()
        return int(end.value.code or 0), shown.out, shown.err  # type: ignore[arg-type]

    return call


def submit(lamflow, *more: object) -> tuple[int, str, str]:
    return lamflow("submit", FILE, "--engine", "argo", *more)


def test_from_submit_over_failure_and_retry_to_download(
    lamflow, stub: Stub, server: S3Server, prefix: str, tmp_path: Path
) -> None:
    stub.failing = {"train"}
    code, out, err = submit(lamflow, "--detach")
    assert code == 0, err
    (name,) = stub.workflows
    assert f"{stub.url}/workflows/{NAMESPACE}/{name}" in out
    inputs = [entry.key for entry in server.store(prefix).list("inputs/")]
    assert len([key for key in inputs if key.endswith(".json") and key.count("/") == 1]) == 1

    code, out, _ = lamflow("watch", "tiny")
    assert code == 3
    assert "train" in out
    assert "failed" in out
    code, out, _ = lamflow("status", "tiny", "--json")
    status = json.loads(out)
    assert (status["status"], status["error"]) == (
        "failed", "step train: main: Error (exit code 2)",
    )  # fmt: skip
    phases = {step["name"]: step["phase"] for step in status["steps"]}
    assert phases["clean-mol"] == "succeeded"
    assert (phases["train"], phases["report"]) == ("failed", "pending")
    assert status["steps"][0]["numbers"] == dict.fromkeys(
        ("frames_in", "frames_kept", "frames_quarantined"), 1.5
    )
    code, _, err = lamflow("download", "tiny", "-o", "out")
    assert code == 3
    assert "no result yet; lamflow status tiny" in err
    assert not (tmp_path / "out").exists()

    stub.failing = set()
    code, out, err = lamflow("retry", "tiny", "--json")
    assert code == 0, err
    end = json.loads(out)
    assert end["status"] == "succeeded"
    assert list(stub.workflows) == [name]
    assert f"PUT /api/v1/workflows/{NAMESPACE}/{name}/retry" in stub.requests

    code, out, _ = lamflow("download", "tiny", "-o", "out")
    assert code == 0
    graph = json.loads(Path("lamflow-runs/tiny/graph.json").read_text())
    keys = {step["name"]: step["key"] for step in graph["steps"]}
    assert Path("out/metrics.json").read_text() == f"{keys['report']} metrics"
    assert Path("out/model").read_text() == f"{keys['train']} model"
    code, out, _ = lamflow("report", "tiny")
    assert out.strip().endswith("lamflow-runs/tiny/result/report.html")


def test_what_another_run_has_done_is_not_done_again(lamflow, stub: Stub) -> None:
    assert submit(lamflow, "--json")[0] == 0
    (first,) = stub.workflows
    code, out, _ = submit(lamflow, "--name", "again", "--json")
    assert (code, json.loads(out)["status"]) == (0, "succeeded")
    assert list(stub.workflows) == [first]  # nothing was left to do
    assert Path("lamflow-runs/again/result/report.html").exists()

    code, _, _ = submit(lamflow, "--name", "longer", "--set", "train.steps=3000", "--json")
    assert code == 0
    last = list(stub.workflows.values())[-1]
    tasks = {task["name"] for task in last["spec"]["templates"][0]["dag"]["tasks"]}
    assert "train" in tasks
    assert not {name for name in tasks if name.startswith(("clean", "split"))}
    status = json.loads(lamflow("status", "longer", "--json")[1])
    cached = {step["name"] for step in status["steps"] if step["cached"]}
    assert len(cached) == STEPS - len(tasks)
    assert status["steps"][0]["numbers"] == {"n": 7}

    code, _, _ = submit(lamflow, "--name", "again", "--redo", "evaluate-mol", "--json")
    assert code == 0
    last = list(stub.workflows.values())[-1]
    tasks = {task["name"] for task in last["spec"]["templates"][0]["dag"]["tasks"]}
    assert tasks == {"evaluate-mol", "report"}


def test_an_attempt_that_is_not_whole_is_not_used(
    lamflow, stub: Stub, server: S3Server, prefix: str
) -> None:
    assert submit(lamflow, "--json")[0] == 0
    store = server.store(prefix)
    (model,) = [e.key for e in store.list("steps/train-") if e.key.endswith("/model")]
    store.write(model, b"cut off")
    assert submit(lamflow, "--name", "again", "--json")[0] == 0
    last = list(stub.workflows.values())[-1]
    assert [task["name"] for task in last["spec"]["templates"][0]["dag"]["tasks"]] == ["train"]


def test_logs_come_from_the_archive_and_from_pods(lamflow, stub: Stub) -> None:
    stub.failing = {"train"}
    submit(lamflow, "--json")
    code, out, _ = lamflow("logs", "tiny", "train")
    assert (code, out) == (0, "this is train\n")
    out = lamflow("logs", "tiny", "--follow")[1]
    assert "──── clean-mol\nthis is clean-mol\n" in out
    code, _, err = lamflow("logs", "tiny", "trian")
    assert code == 2
    assert "no such step" in err


@pytest.mark.parametrize("verb", ["stop", "terminate"])
def test_a_run_can_be_stopped_and_goes_on_when_retried(lamflow, stub: Stub, verb: str) -> None:
    stub.hold = True
    submit(lamflow, "--detach")
    code, _, err = submit(lamflow)
    assert code == 3
    assert "is going on as tiny-" in err
    assert "lamflow stop tiny" in err
    assert "stopped" in lamflow(verb, "tiny")[1] + "stopped" * (verb == "terminate")
    assert "was not running" in lamflow(verb, "tiny")[1]
    assert json.loads(lamflow("status", "tiny", "--json")[1])["status"] == "stopped"
    stub.hold = False
    assert lamflow("retry", "tiny", "--json")[0] == 0


def test_a_run_can_be_suspended_and_resumed(lamflow, stub: Stub) -> None:
    submit(lamflow, "--detach")
    assert "suspended" in lamflow("suspend", "tiny")[1]
    assert json.loads(lamflow("status", "tiny", "--json")[1])["status"] == "suspended"
    assert "resumed" in lamflow("resume", "tiny")[1]
    assert lamflow("watch", "tiny")[0] == 0


def test_runs_are_listed_here_and_on_the_cluster_with_the_archive(lamflow, stub: Stub) -> None:
    assert submit(lamflow, "--json")[0] == 0
    (name,) = stub.workflows
    listed = json.loads(lamflow("runs", "--json")[1])
    assert [(run["run"], run["engine"], run["status"]) for run in listed] == [
        ("tiny", "argo", "succeeded")
    ]
    stub.archived = {f"uid-{name}": stub.workflows.pop(name)}
    (found,) = json.loads(lamflow("runs", "--context", "stub", "--json")[1])
    assert (found["workflow"], found["status"], found["kind"]) == (name, "succeeded", "pretrain")
    assert json.loads(lamflow("status", "tiny", "--json")[1])["status"] == "succeeded"


def test_a_deleted_workflow_is_told_and_retried_with_what_the_bucket_has(
    lamflow, stub: Stub
) -> None:
    stub.failing = {"train"}
    submit(lamflow, "--json")
    stub.workflows.clear()
    status = json.loads(lamflow("status", "tiny", "--json")[1])
    assert status["status"] == "failed"
    stub.failing = set()
    assert lamflow("retry", "tiny", "--json")[0] == 0
    (again,) = stub.workflows.values()
    tasks = [task["name"] for task in again["spec"]["templates"][0]["dag"]["tasks"]]
    assert "clean-mol" not in tasks


def test_numbers_of_new_and_old_argo_and_of_skipped_nodes(lamflow, stub: Stub) -> None:
    values = {"frames_in": ["1", "2.5"], "frames_kept": "", "frames_quarantined": "cpu"}
    stub.numbers = lambda name: values.get(name, "3")
    submit(lamflow, "--json")
    status = json.loads(lamflow("status", "tiny", "--json")[1])
    assert status["steps"][0]["numbers"] == {
        "frames_in": [1, 2.5], "frames_kept": None, "frames_quarantined": "cpu",
    }  # fmt: skip
    assert lamflow("status", "tiny")[0] == 0


@pytest.mark.parametrize(
    ("fault", "exit_code", "says"),
    [
        (401, 4, "the token was refused (401); get a new one"),
        (403, 4, "not allowed (403): the stub was told to; k8s/base/rbac.yaml"),
        (400, 2, "Argo refuses the workflow: the stub was told to"),
        (302, 4, "sends us elsewhere (302)"),
    ],
)
def test_refusals_say_what_to_do(
    lamflow, stub: Stub, fault: int, exit_code: int, says: str
) -> None:
    stub.faults = [fault, fault]
    code, _, err = submit(lamflow)
    assert (code, says in err) == (exit_code, True), err
    assert TOKEN not in err
    assert "Traceback" not in err


def test_a_wrong_token_is_told_and_not_shown(lamflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_TOKEN", "wrong-token-31f0")
    code, out, err = submit(lamflow)
    assert code == 4
    assert "environment:STUB_TOKEN" in err
    assert "wrong-token-31f0" not in out + err


def test_a_server_that_recovers_is_asked_again(lamflow, stub: Stub) -> None:
    stub.faults = [503, 500]
    code, _, err = submit(lamflow, "--json")
    assert code == 0, err


def test_a_server_that_stays_broken_is_told(
    lamflow, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamflow.engine.argo_api._TRIES", 1)
    stub.faults = [500] * 2
    code, _, err = submit(lamflow)
    assert code == 4
    assert "failed with 500 after all attempts: the stub was told to; try again later" in err
    stub.faults = []
    assert submit(lamflow, "--json")[0] == 0


def test_an_answer_that_got_lost_starts_no_second_workflow(
    lamflow, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = stub.submit

    def lose(body: dict) -> tuple[int, dict]:
        answer = create(body)
        return answer if answer[0] == 409 else (504, {"message": "gateway time-out"})

    monkeypatch.setattr(stub, "submit", lose)
    code, _, err = submit(lamflow, "--json")
    assert code == 0, err
    assert len(stub.workflows) == 1


def test_a_timeout_is_told(lamflow, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamflow.engine.argo_api._READ_S", 0.05)
    monkeypatch.setattr("lamflow.engine.argo_api._TRIES", 1)
    stub.delay_s = 0.5
    code, _, err = submit(lamflow)
    assert code == 4
    assert "no answer in time; check the network" in err


def test_nobody_there_is_told_and_runs_are_listed_as_last_seen(
    lamflow, stub: Stub, server: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamflow.engine.argo_api._TRIES", 0)
    assert submit(lamflow, "--json")[0] == 0
    new_context("http://127.0.0.1:9", server, prefix)
    code, _, err = lamflow("status", "tiny")
    assert code == 4
    assert "127.0.0.1:9: nobody answers there" in err
    code, out, err = lamflow("runs")
    assert code == 0
    assert "succeeded" in out
    assert "as last seen" in err


def test_a_page_that_is_not_argo_is_told(
    lamflow, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stub, "submit", lambda _: (200, "<html>log in</html>"))
    code, _, err = submit(lamflow)
    assert code == 4
    assert "answers, but not as Argo does" in err


def test_tls_is_verified(
    lamflow, server: S3Server, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamflow.engine.argo_api._TRIES", 0)
    cert, key = certificate(tmp_path)
    with argo_stub((cert, key)) as secure:
        secure.store = server.store()
        new_context(secure.url, server, prefix)
        code, _, err = submit(lamflow)
        assert code == 4
        assert "the certificate is not trusted" in err
        assert secure.requests == []  # and so no token was sent
        new_context(secure.url, server, prefix, ca=cert)
        code, _, err = submit(lamflow, "--json")
        assert code == 0, err
        assert secure.errors == []


def test_local_and_cluster_runs_do_not_mix(lamflow, stub: Stub) -> None:
    assert submit(lamflow, "--json")[0] == 0
    code, _, err = lamflow("submit", FILE)
    assert code == 2
    assert "is a run on a cluster; name another: --name tiny-local" in err


def test_without_a_context_the_next_step_is_told(lamflow) -> None:
    code, _, err = submit(lamflow, "--context", "stup")
    assert code == 2
    assert "did you mean 'stub'" in err


def test_following_a_run_outlasts_a_server_that_is_away_for_a_while(
    lamflow, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamflow.engine.argo_api._TRIES", 0)
    submit(lamflow, "--detach")
    advance = stub.advance

    def go_away_once(workflow: dict) -> None:
        monkeypatch.setattr(stub, "advance", advance)
        stub.faults = [503] * 3
        advance(workflow)

    monkeypatch.setattr(stub, "advance", go_away_once)
    code, _, err = lamflow("watch", "tiny")
    assert code == 0, err
    assert stub.faults == []


def test_a_token_that_was_renewed_is_read_again(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ArgoEngine("stub")
    engine.api.list_live()
    monkeypatch.setattr("argo_stub.TOKEN", "renewed-1882")
    with pytest.raises(UnreachableError, match="401"):
        engine.api.list_live()
    monkeypatch.setenv("STUB_TOKEN", "renewed-1882")
    engine.api.list_live()


@pytest.mark.parametrize(
    ("told", "version"), [("v3.5.11", (3, 5)), ("4.1.2+rc1", (4, 1)), ("latest", (4, 1))]
)
def test_the_version_of_argo(
    stub: Stub, monkeypatch: pytest.MonkeyPatch, told: str, version: tuple[int, int]
) -> None:
    engine = ArgoEngine("stub")
    monkeypatch.setattr(engine.api, "info", lambda: {"version": told})
    assert engine.api.version() == version


def test_a_run_that_argo_has_forgotten_still_has_status_and_result(lamflow, stub: Stub) -> None:
    submit(lamflow, "--detach")
    assert lamflow("watch", "tiny")[0] == 0
    before = json.loads(lamflow("status", "tiny", "--json")[1])
    stub.workflows.clear()
    after = json.loads(lamflow("status", "tiny", "--json")[1])
    assert (after["status"], after["steps"]) == ("succeeded", before["steps"])
    assert lamflow("download", "tiny", "-o", "out")[0] == 0
    assert Path("out/report.html").exists()


def test_a_result_is_fetched_anew_when_the_run_has_another(lamflow, stub: Stub) -> None:
    for name, steps in (("other", 20), ("tiny", 10), ("tiny", 20)):
        assert submit(lamflow, "--name", name, "--set", f"train.steps={steps}", "--json")[0] == 0
    assert len(stub.workflows) == 2  # the third had nothing to do
    models = [Path(f"lamflow-runs/{name}/result/model").read_text() for name in ("other", "tiny")]
    assert models[0] == models[1]
