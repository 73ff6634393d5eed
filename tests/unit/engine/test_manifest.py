"""Argo manifests: valid under strict schemas, complete in themselves, free of secrets."""

import difflib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from argo_checks import VERSIONS, name_errors, reference_errors, schema_errors
from lamflow.workflows.kinds import build_graph
from model_folders import write_model_folder

from lamflow.config.checks import load_checked_config
from lamflow.config.model_ref import names_model
from lamflow.config.run import Resources
from lamflow.engine.graph import RECORD_PORT, Graph, Source
from lamflow.engine.manifest import ArgoOptions, manifest_yaml, options_from, render, to_yaml
from lamflow.errors import InputError
from lamflow.testing.toy_operators import AppendParams, WriteParams, append, write

WORKFLOWS = Path(__file__).parents[3] / "workflows"
FILES = sorted(p for p in WORKFLOWS.glob("*.yaml") if not p.name.endswith(".manifest.yaml"))
DEMO_ELEMENTS = ("H", "C", "N", "O", "Ti", "Nb", "Mo", "Ta", "W")
UPDATE = "LAMFLOW_UPDATE_MANIFESTS"
HOSTILE = "{{workflow.name}} '''\\ {{=sprig.env(\"HOME\")}} }} {{{{x}}}}\n'"


def toy_graph(name: str = "toy", text: str = "a") -> Graph:
    graph = Graph("toy", name)
    first = graph.add("first", write, WriteParams(text=text))
    last = graph.add(
        "last",
        append,
        AppendParams(text=text),
        {"first": Source("/data/a", "0" * 64)},
        {"more": {"x_1": first["text"], "y": Source("/data/b", "1" * 64)}},
    )
    graph.results["all.txt"] = last["text"]
    return graph


def rendered_file(file: Path, models: Path) -> str:
    """Render a file; the trained models that it names are replaced by one that `models` gets.

    Files and model are then in one folder, as paths in a report count from what holds them all.
    """
    text = yaml.safe_load(file.read_text())
    keys = [key for key in ("model", "teacher") if names_model(text.get(key))]
    keys = [] if text["kind"] == "update" else keys  # there it is a name in the registry
    if keys and not models.exists():
        write_model_folder(models, "mol3bpa", "nbmotaw", "tio2", type_map=DEMO_ELEMENTS)
        shutil.copytree(WORKFLOWS, models.parent / "workflows")
    if keys:
        file = models.parent / "workflows" / file.name
    sets = [f"{key}={models}" for key in keys]
    if text["kind"] == "coverage":  # the run that made the model is not here
        sets.append("training=[{name: tio2, path: data/tio2}]")
    config = load_checked_config(file, sets).config
    return manifest_yaml(build_graph(config, cluster=True, standing=True), config)


def problems(manifest: dict[str, Any]) -> list[str]:
    found = [f"{v}: {e}" for v in VERSIONS for e in schema_errors(manifest, v)]
    return [*found, *reference_errors(manifest), *name_errors(manifest)]


def templates(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {template["name"]: template for template in manifest["spec"]["templates"]}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_manifest_of_every_kind_is_golden_and_valid(file: Path, tmp_path: Path) -> None:
    text = rendered_file(file, tmp_path / "model")
    assert problems(yaml.safe_load(text)) == []
    golden = file.with_suffix(".manifest.yaml")
    if os.environ.get(UPDATE):
        golden.write_text(text)
    old = golden.read_text() if golden.exists() else ""
    changes = "\n".join(difflib.unified_diff(old.splitlines(), text.splitlines(), lineterm="", n=1))
    assert not changes, f"not as in {golden.name}; if it should be so: make manifests\n{changes}"


def test_strict_schema_notices_unknown_fields() -> None:
    manifest = render(toy_graph(), ArgoOptions())
    assert problems(manifest) == []
    manifest["spec"]["templates"][1]["script"]["imagePullPolice"] = "Always"
    assert all("imagePullPolice" in str(schema_errors(manifest, version)) for version in VERSIONS)


def test_reference_check_notices_what_is_not_there() -> None:
    manifest = render(toy_graph(), ArgoOptions())
    dag = templates(manifest)["run"]["dag"]
    dag["tasks"][1]["arguments"]["artifacts"][2]["from"] = "{{tasks.first.outputs.artifacts.nil}}"
    dag["tasks"][0]["template"] = "nothing"
    assert len(reference_errors(manifest)) >= 2


def test_yaml_has_no_aliases_and_loads_to_what_was_rendered() -> None:
    options = ArgoOptions(
        parallel=3, resources={"cpu": Resources(memory=2, tolerations=({"key": "a"},))}
    )
    text = to_yaml(render(toy_graph(), options))
    events = list(yaml.parse(text))
    assert not [event for event in events if getattr(event, "anchor", None)]
    assert "raise SystemExit(main(" in text
    assert "\\n" not in text.split("source: |")[1].split("volumeMounts")[0]
    assert yaml.safe_load(text)["spec"]["parallelism"] == 3


def test_no_secret_of_the_environment_is_in_a_manifest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = ["DFLOW_TOKEN", "DFLOW_ACCESS_KEY", "DFLOW_SECRET_KEY", "DFLOW_S3_ACCESS_KEY",
             "DFLOW_S3_SECRET_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
             "AWS_SESSION_TOKEN", "LAMFLOW_ARGO_TOKEN", "LAMFLOW_S3_SECRET_KEY",
             "ARGO_TOKEN", "BOHRIUM_PASSWORD"]  # fmt: skip
    for name in names:
        monkeypatch.setenv(name, f"hush-{name}")
    from dflow import config, s3_config

    monkeypatch.setitem(config, "token", "hush-config")
    monkeypatch.setitem(s3_config, "secret_key", "hush-key")
    monkeypatch.setitem(s3_config, "access_key", "hush-access")
    for file in FILES:
        assert "hush" not in rendered_file(file, tmp_path / "model")


def test_hostile_text_can_neither_break_out_nor_be_expanded() -> None:
    manifest = render(toy_graph(text=HOSTILE), ArgoOptions())
    assert problems(manifest) == []
    task = templates(manifest)["run"]["dag"]["tasks"][0]
    data = task["arguments"]["artifacts"][0]["raw"]["data"]
    assert "{{" not in data
    assert yaml.safe_load(data)["params"]["text"] == HOSTILE
    assert HOSTILE not in templates(manifest)["first"]["script"]["source"]


def test_names_are_such_as_kubernetes_takes() -> None:
    graph = Graph("toy", "a_run-" + "n" * 33 + "_2")
    graph.add("evaluate-" + "long_" * 11 + "end", write, WriteParams(text="a"))
    manifest = render(graph, ArgoOptions(name="x" * 57))
    assert problems(manifest) == []
    assert manifest["metadata"]["name"] == "x" * 57
    assert problems(render(graph, ArgoOptions())) == []


def test_each_step_has_its_own_template_resources_and_keys() -> None:
    graph = Graph("toy", "toy")
    steps = [graph.add(f"same-{n}", write, WriteParams(text="a")) for n in range(3)]
    resources = {"same-1": Resources(memory=7, gpu=2, shared_memory=1, image="own:1")}
    manifest = render(graph, ArgoOptions(resources=resources, prefix="team/x"))
    assert problems(manifest) == []
    found = templates(manifest)
    limits = [found[f"same-{n}"]["script"]["resources"]["limits"] for n in range(3)]
    usual = {"memory": "4Gi"}
    assert limits == [usual, {"memory": "7Gi", "nvidia.com/gpu": "2"}, usual]
    assert found["same-1"]["script"]["image"] == "own:1"
    for step in steps:
        template = found[step.name]
        assert template["metadata"]["labels"]["lamflow.io/step"] == step.name
        keys = [item["s3"]["key"] for item in template["outputs"]["artifacts"]]
        folder = f"team/x/steps/{step.key}/{{{{pod.name}}}}"
        assert keys == [f"{folder}/text", f"{folder}/step.json"]


def test_results_have_keys_that_a_browser_knows() -> None:
    last = templates(render(toy_graph(), ArgoOptions()))["last"]
    assert last["outputs"]["artifacts"][0]["s3"]["key"].endswith("/text.txt")


def test_finished_steps_are_left_out_and_their_outputs_read() -> None:
    graph = toy_graph()
    first = graph.steps[0]
    finished = {first.key: {"text": "p/steps/k/pod/text", RECORD_PORT: "p/steps/k/pod/step.json"}}
    manifest = render(graph, ArgoOptions(finished=finished))
    assert problems(manifest) == []
    (task,) = templates(manifest)["run"]["dag"]["tasks"]
    assert task["name"] == "last"
    sources = {item["name"]: item for item in task["arguments"]["artifacts"]}
    assert sources["more-x_1"]["s3"]["key"] == "p/steps/k/pod/text"
    assert "first" not in templates(manifest)


def test_retry_tells_passing_faults_from_lasting_ones() -> None:
    retry = templates(render(toy_graph(), ArgoOptions(retries=4)))["first"]["retryStrategy"]
    assert (retry["limit"], retry["retryPolicy"]) == ("4", "Always")

    # Argo's expression language is Python's for this one; exit codes are text, "-1" is none.
    def again(code: str) -> bool:
        names = {"lastRetry": type("LastRetry", (), {"exitCode": code})}
        return eval(retry["expression"], {}, names)  # our own text

    assert [again(code) for code in ("1", "2", "3")] == [False] * 3
    assert [again(code) for code in ("75", "137", "143", "139", "-1", "0", "64")] == [True] * 7


def test_pods_are_restricted_and_numbers_have_defaults() -> None:
    manifest = render(toy_graph(), ArgoOptions())
    spec = manifest["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for name in ("first", "last"):
        template = templates(manifest)[name]
        security = template["script"]["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert template["script"]["volumeMounts"][0]["mountPath"] == "/tmp"
        defaults = {item["valueFrom"]["default"] for item in template["outputs"]["parameters"]}
        assert defaults == {""}
        assert all(a["archive"] == {"none": {}} for a in template["outputs"]["artifacts"])


def test_checkpoints_go_to_a_volume_that_outlives_the_pod() -> None:
    resources = {"cpu": Resources(volumes={"work": "/scratch"})}
    graph = toy_graph()
    first = templates(render(graph, ArgoOptions(resources=resources)))["first"]
    assert {"name": "LAMFLOW_SCRATCH", "value": f"/scratch/{graph.steps[0].key}"} in (
        first["script"]["env"]
    )


def test_memory_grows_after_a_lack_of_it_where_the_profile_says_so() -> None:
    resources = {"first": Resources(memory=4, memory_after_oom=16, priority_class="high")}
    manifest = render(toy_graph(), ArgoOptions(resources=resources))
    assert problems(manifest) == []
    first, last = (templates(manifest)[name] for name in ("first", "last"))
    assert "podSpecPatch" not in last
    assert first["priorityClassName"] == "high"
    containers = {c["name"]: c for c in json.loads(first["podSpecPatch"])["containers"]}
    wanted = "{{=lastRetry.exitCode == '137' ? '16Gi' : '4Gi'}}"
    assert containers["main"]["resources"]["limits"]["memory"] == wanted
    assert containers["wait"]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_labels_and_annotations_tell_what_runs() -> None:
    config = load_checked_config(WORKFLOWS / "pretrain.yaml", ["run.priority=7"]).config
    manifest = yaml.safe_load(manifest_yaml(build_graph(config), config))
    assert problems(manifest) == []
    assert manifest["spec"]["priority"] == 7
    labels = {"lamflow.io/run", "lamflow.io/kind", "lamflow.io/version"}
    assert labels <= set(manifest["metadata"]["labels"])
    assert labels <= set(manifest["spec"]["podMetadata"]["labels"])
    told = manifest["metadata"]["annotations"]["lamflow.io/config-sha256"]
    same, other = (
        options_from(
            load_checked_config(WORKFLOWS / "pretrain.yaml", [change]).config.model_dump(
                mode="json"
            )
        )
        for change in ("run.retries=5", "seed=2")
    )
    assert same.config_sha256 == told  # no result depends on it
    assert other.config_sha256 != told
    options = ArgoOptions(revision="v1-3-gabc")
    annotations = render(toy_graph(), options)["metadata"]["annotations"]
    assert annotations["lamflow.io/revision"] == "v1-3-gabc"


def test_type_and_name_of_gpus() -> None:
    resources = {
        "first": Resources(gpu=2, gpu_type="NVIDIA-H100-80GB-HBM3", node_selector={"pool": "a"}),
        "last": Resources(gpu=1, gpu_resource="amd.com/gpu"),
    }
    manifest = render(toy_graph(), ArgoOptions(resources=resources))
    assert problems(manifest) == []
    first, last = (templates(manifest)[name] for name in ("first", "last"))
    assert first["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "pool": "a"}
    assert last["script"]["resources"]["limits"] == {"memory": "4Gi", "amd.com/gpu": "1"}


def pretrain_manifest(*changes: str) -> dict[str, Any]:
    config = load_checked_config(WORKFLOWS / "pretrain.yaml", list(changes)).config
    return dict(yaml.safe_load(manifest_yaml(build_graph(config), config)))


def test_each_process_of_a_training_gets_a_gpu() -> None:
    for change, gpus in (("train.processes=4", "4"), ("resources={train: {gpu: 2}}", "2")):
        train = templates(pretrain_manifest(change))["train"]
        assert train["script"]["resources"]["limits"]["nvidia.com/gpu"] == gpus


def test_nodes_of_a_training_find_each_other() -> None:
    usual = pretrain_manifest()
    manifest = pretrain_manifest("resources={train: {nodes: 3}}", "train.processes=8")
    assert problems(manifest) == []
    names = set(templates(manifest)) - set(templates(usual))
    assert names == {"train-node-1", "train-node-2"}
    pods = [templates(manifest)[name] for name in ("train", "train-node-1", "train-node-2")]
    hosts, addresses = [], set()
    for rank, pod in enumerate(pods):
        variables = {item["name"]: item["value"] for item in pod["script"]["env"]}
        assert (variables["LAMFLOW_NODES"], variables["LAMFLOW_NODE_RANK"]) == ("3", str(rank))
        assert pod["metadata"]["labels"]["lamflow.io/multi-node"] == "true"
        assert pod["script"]["resources"]["limits"]["nvidia.com/gpu"] == "8"
        patch = json.loads(pod["podSpecPatch"])
        assert {c["name"] for c in patch["containers"]} == {"wait"}
        hosts.append(f"{patch['hostname']}.{patch['subdomain']}")
        addresses.add(variables["LAMFLOW_NODE_ADDRESS"])
    assert addresses == {f"{hosts[0]}:29400"}
    assert len(set(hosts)) == 3
    # A UID has 36 letters, and a host name at most 63.
    assert all(len(host.replace("{{workflow.uid}}", "u" * 36)) < 63 for host in hosts)
    assert ["outputs" in pod for pod in pods] == [True, False, False]
    tasks = {task["name"]: task for task in templates(manifest)["run"]["dag"]["tasks"]}
    assert tasks["train-node-2"]["arguments"] == tasks["train"]["arguments"]
    assert not [t for t in tasks.values() if "train-node" in t.get("depends", "")]


def test_steps_that_do_not_train_have_one_pod() -> None:
    with pytest.raises(InputError, match=r"resources.cpu.nodes: only steps that train"):
        pretrain_manifest("resources={cpu: {nodes: 2}}")


def test_before_argo_3_7_memory_grows_with_each_attempt() -> None:
    resources = {"first": Resources(memory=4, memory_after_oom=16)}
    manifest = render(toy_graph(), ArgoOptions(resources=resources, argo=(3, 6)))
    assert problems(manifest) == []
    patch = json.loads(templates(manifest)["first"]["podSpecPatch"])
    wanted = "{{=sprig.int(retries) > 0 ? '16Gi' : '4Gi'}}"
    assert patch["containers"][1]["resources"]["requests"]["memory"] == wanted


def test_resources_for_an_operator_and_a_step_and_for_nothing() -> None:
    resources = {
        "cpu": Resources(image="all:1"),
        "write": Resources(image="writers:1", memory=2),
        "same-1": Resources(memory=3),
    }
    graph = Graph("toy", "toy")
    for number in (1, 2):
        graph.add(f"same-{number}", write, WriteParams(text="a"))
    found = templates(render(graph, ArgoOptions(resources=resources)))
    assert [found[f"same-{n}"]["script"]["image"] for n in (1, 2)] == ["writers:1"] * 2
    memory = [found[f"same-{n}"]["script"]["resources"]["limits"]["memory"] for n in (1, 2)]
    assert memory == ["3Gi", "2Gi"]
    with pytest.raises(InputError, match=r"resources.wriet: .* did you mean 'write'"):
        render(graph, ArgoOptions(resources={"wriet": Resources()}))


def test_what_is_not_said_stays_as_the_profile_has_it() -> None:
    config = load_checked_config(
        WORKFLOWS / "pretrain.yaml", ["resources={train: {gpu: 0}}"]
    ).config
    manifest = yaml.safe_load(
        manifest_yaml(build_graph(config, cluster=True, standing=True), config)
    )
    resources = templates(manifest)["train"]["script"]["resources"]
    assert resources["requests"] == {"cpu": "4", "memory": "16Gi"}
    assert resources["limits"] == {"memory": "16Gi"}
