"""Schedules on a cluster: manifests that Argo 3.6 to 4.1 takes, and the server as a stand-in."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from argo_checks import VERSIONS, reference_errors, schema_errors
from argo_stub import NAMESPACE, TOKEN, Stub, argo_stub
from lamflow.workflows.kinds import build_graph

from lamflow.cli import main as command
from lamflow.config.loader import load_config
from lamflow.context import add_context
from lamflow.engine.cron import CRON_LABEL, ArgoSchedules, Timing, render_cron, schedule_name
from lamflow.engine.graph import Graph
from lamflow.engine.manifest import ArgoOptions, render
from lamflow.errors import InputError
from lamflow.testing.s3_servers import BUCKET, rclone_server
from lamflow.testing.toy_operators import WriteParams, write

WORKFLOWS = Path(__file__).parents[3] / "workflows"
CRON = "io.argoproj.workflow.v1alpha1.CronWorkflow"
CONFIG = {"run": {}, "resources": {}}
NIGHTLY = Timing("0 3 * * *", "Europe/Berlin")


def toy() -> Graph:
    graph = Graph("toy", "nightly")
    graph.results["a.txt"] = graph.add("first", write, WriteParams(text="a"))["text"]
    return graph


def test_the_manifest_is_valid_in_all_versions_of_argo() -> None:
    """`schedule` is gone in 4.0, `schedules` came with 3.6: only the latter is written."""
    config = load_config(WORKFLOWS / "update.yaml").config
    graph = build_graph(config, cluster=True, standing=True)
    manifest = render_cron(render(graph, ArgoOptions()), "nightly", NIGHTLY)
    for version in VERSIONS:
        assert schema_errors(manifest, version, CRON) == []
    assert reference_errors({"spec": manifest["spec"]["workflowSpec"]}) == []
    spec = manifest["spec"]
    assert (spec["schedules"], spec["timezone"]) == (["0 3 * * *"], "Europe/Berlin")
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] > 0
    assert "schedule" not in spec
    spec["schedul"] = []
    assert all(schema_errors(manifest, version, CRON) for version in VERSIONS)


def test_a_standing_update_has_a_slot_for_each_dataset_that_it_may_take() -> None:
    config = load_config(WORKFLOWS / "update.yaml", ["max_datasets=3"]).config
    names = {step.name for step in build_graph(config, cluster=True, standing=True).steps}
    assert {"slot-01-vet", "slot-02-vet", "slot-03-vet"} <= names
    assert "slot-04-vet" not in names


def test_a_cluster_sees_no_folder_of_this_machine(tmp_path: Path) -> None:
    config = load_config(WORKFLOWS / "update.yaml", [f"registry={tmp_path}"]).config
    with pytest.raises(InputError, match="pods don't see; name a bucket"):
        build_graph(config, cluster=True)


def test_names_are_short_enough_for_argo_to_add_the_time() -> None:
    assert schedule_name("a_b" * 30) == ("a-b" * 30)[:52].rstrip("-")


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("STUB_TOKEN", TOKEN)
    with rclone_server(tmp_path / "rclone") as server, argo_stub() as stub:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        stub.store = server.store()
        argo = {"server": stub.url, "namespace": NAMESPACE, "token": "environment:STUB_TOKEN"}
        place = {"bucket": BUCKET, "prefix": "p", "endpoint": server.endpoint,
                 "region": "us-east-1"}  # fmt: skip
        add_context("stub", {"argo": argo, "store": place})
        yield stub
        assert stub.errors == []


def test_the_life_of_a_schedule(stub: Stub) -> None:
    schedules = ArgoSchedules("stub")
    assert schedules.list_all() == []
    schedules.create(toy(), CONFIG, NIGHTLY)
    (one,) = schedules.list_all()
    assert (one["name"], one["cron"], one["timezone"]) == ("nightly", "0 3 * * *", "Europe/Berlin")
    assert (one["kind"], one["suspended"]) == ("toy", False)

    with pytest.raises(InputError, match="--replace puts this one in its place"):
        schedules.create(toy(), CONFIG, NIGHTLY)
    assert schedules.suspend("nightly", suspended=True)["suspended"]
    schedules.create(toy(), CONFIG, Timing("30 4 * * 1"), replaces=True)
    assert schedules.show("nightly")["cron"] == "30 4 * * 1"
    assert schedules.show("nightly")["suspended"], "replacing does not wake it"
    assert not schedules.suspend("nightly", suspended=False)["suspended"]

    assert schedules.history("nightly") == []
    workflow = schedules.run_now("nightly")
    assert stub.workflows[workflow]["metadata"]["labels"][CRON_LABEL] == "nightly"
    (run,) = schedules.history("nightly")
    assert (run["workflow"], run["status"]) == (workflow, "running")

    schedules.delete("nightly")
    assert schedules.list_all() == []
    assert workflow in stub.workflows, "what it has started goes on"
    with pytest.raises(InputError, match="no such schedule in context stub; there are: none"):
        schedules.show("nightly")


def test_an_answer_that_got_lost_starts_no_second_run(stub: Stub) -> None:
    schedules = ArgoSchedules("stub")
    schedules.create(toy(), CONFIG, NIGHTLY)
    stub.faults = [503]
    workflow = schedules.run_now("nightly")
    assert list(stub.workflows) == [workflow]


def test_the_command_on_a_cluster(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (WORKFLOWS / "update.yaml").read_text()
    Path("update.yaml").write_text(text)
    on = ["--context", "stub"]

    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["lamflow", "schedule", *words, *on])
        with pytest.raises(SystemExit) as ended:
            command.main()
        return int(ended.value.code or 0)

    when = ("--cron", "0 3 * * *", "--timezone", "Europe/Berlin")
    assert run("create", "update.yaml", *when) == 0
    (name,) = stub.crons
    assert name == "openlam-nightly"
    spec = stub.crons[name]["spec"]
    assert spec["schedules"] == ["0 3 * * *"]
    tasks = spec["workflowSpec"]["templates"]
    looks = next(one for one in tasks if one["name"] == "run")["dag"]["tasks"][0]
    assert '"fixed": null' in looks["arguments"]["artifacts"][0]["raw"]["data"], "it looks later"
    for words in (["list"], ["show", name], ["suspend", name], ["resume", name],
                  ["run-now", name], ["history", name]):  # fmt: skip
        assert run(*words) == 0
    assert "Europe/Berlin" in capsys.readouterr().out
    assert run("create", "update.yaml", *when, "--set", f"registry={tmp_path}") == 2
    assert "pods don't see" in capsys.readouterr().err
    assert run("delete", name) == 0
    assert run("show", name) == 2
