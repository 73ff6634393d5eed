"""The Argo manifest of a graph, rendered offline.

dflow renders templates and tasks; what it leaves out or gets wrong is put right here, on plain
data, so that the result is valid under Argo's own schema (3.7 and 4.1) and holds no secret.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from lamflow import __version__
from lamflow.config.portable import config_sha256
from lamflow.config.run import Resources, RunSettings
from lamflow.engine.argo_keys import OutputKeys, artifact_file, input_key, step_prefix
from lamflow.engine.argo_nodes import add_nodes, nodes_of
from lamflow.engine.argo_pod import (
    POD_PATCH,
    POD_SECURITY,
    check_resources,
    finish_pod,
    resources_of,
)
from lamflow.engine.graph import Graph, Origin, Source, Step
from lamflow.files import sha256_json

DEFAULT_IMAGE = f"ghcr.io/lamflow/lamflow:{__version__}"
_DAY_S = 86_400
_ENTRYPOINT = "run"
_KEY = "lamflow.io/key"
_LABEL_LENGTH = 63
_KNOWS_LAST_RETRY = (3, 7)  # in pod patches: argoproj/argo-workflows#14450


@dataclass(frozen=True)
class ArgoOptions:
    """How a workflow is to run on a cluster.

    Attributes
    ----------
    namespace
        Kubernetes namespace.
    service_account
        Account of the pods.
    prefix
        Key prefix in the cluster's artifact repository below which everything lies.
    name
        Name of the Workflow; without it Kubernetes makes one from the run's.
    finished
        Where outputs lie of steps that are done already and so left out: by step's key.
    resources
        By profile, operator or step; what they say replaces the defaults of the profiles.
    timeout_s
        Time limit of a step, s.
    retries
        Further attempts of a step after a failure that may pass.
    parallel
        Most pods at a time.
    priority
        Of the workflows that wait for the controller the one with the highest goes first.
    config_sha256
        Hash of the configuration, for the workflow's annotations.
    revision
        Version of lamflow's repository, for the workflow's annotations.
    argo
        Major and minor version of Argo.
    """

    namespace: str = "lamflow"
    service_account: str = "lamflow-workflow"
    prefix: str = "lamflow"
    name: str | None = None
    finished: Mapping[str, OutputKeys] = field(default_factory=dict)
    resources: Mapping[str, Resources] = field(default_factory=dict)
    timeout_s: float | None = None
    retries: int = 2
    parallel: int | None = None
    priority: int | None = None
    config_sha256: str | None = None
    revision: str | None = None
    argo: tuple[int, int] = (4, 1)


def manifest_yaml(graph: Graph, config: Any) -> str:
    """Render the workflow of a configuration as YAML for ``argo submit`` or ``kubectl create``."""
    return to_yaml(render(graph, options_from(config.model_dump(mode="json"))))


def options_from(config: Mapping[str, Any]) -> ArgoOptions:
    """Take limits and resources from a configuration as it is in a run's ``config.json``."""
    run = RunSettings.model_validate(config["run"])
    return ArgoOptions(
        resources={name: Resources.model_validate(r) for name, r in config["resources"].items()},
        timeout_s=run.timeout * 60,
        retries=run.retries,
        parallel=run.parallel,
        priority=run.priority,
        config_sha256=config_sha256(config),
    )


def to_yaml(manifest: Mapping[str, Any]) -> str:
    """Write a manifest as people write YAML: no aliases, text of several lines as a block."""
    return yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _block)


def render(graph: Graph, options: ArgoOptions) -> dict[str, Any]:
    """Render the steps of a graph that are to be run as an Argo Workflow (plain data).

    Raises
    ------
    InputError
        The options give resources to something that is not there.
    """
    check_resources(graph.steps, options.resources)
    raw = _render_with_dflow(graph, options)
    numbers = {step.name: number for number, step in enumerate(graph.steps)}
    templates = raw["spec"]["templates"]
    (dag,) = (template for template in templates if template["name"] not in numbers)
    _finish_dag(dag)
    for template in [template for template in templates if template is not dag]:
        number = numbers[template["name"]]
        step = graph.steps[number]
        wanted = resources_of(step, options.resources)
        finish_pod(
            template, step, wanted, timeout_s=options.timeout_s, retries=options.retries,
            knows_last_retry=options.argo >= _KNOWS_LAST_RETRY,
        )  # fmt: skip
        _label(template, step)
        _place_outputs(template, graph, step, options.prefix)
        _drop_empty(template)
        if (count := nodes_of(step, wanted)) > 1:
            templates += add_nodes(dag["dag"], template, number, count)
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": _metadata(graph, options),
        "spec": _spec(raw["spec"], graph, options),
    }


def _render_with_dflow(graph: Graph, options: ArgoOptions) -> dict[str, Any]:
    from dflow import S3Artifact, Workflow, config, s3_config

    from lamflow.engine.dflow_graph import to_dag

    # Whatever stands in dflow's settings may end in the manifest: nothing secret may be there.
    config.update(mode="default", token=None, k8s_config_file=None)
    s3_config.update(access_key="", secret_key="", prefix="", repo_key=None, repo=None)

    def resolve(origin: Origin) -> Any:
        if isinstance(origin, Source):
            return S3Artifact(key=input_key(options.prefix, origin))
        return S3Artifact(key=options.finished[origin.step.key][origin.port])

    def template_options(step: Step) -> Mapping[str, Any]:
        image = resources_of(step, options.resources).image or DEFAULT_IMAGE
        # dflow merges templates that are equal; the key makes each step's its own.
        return {"command": ["python3"], "image": image, "annotations": {_KEY: step.key}}

    todo = [step for step in graph.steps if step.key not in options.finished]
    dag = to_dag(_ENTRYPOINT, todo, resolve, template_options)
    workflow = Workflow(name=kubernetes_name(graph.name), dag=dag, namespace=options.namespace)
    rendered: dict[str, Any] = workflow.to_dict()
    return rendered


def _metadata(graph: Graph, options: ArgoOptions) -> dict[str, Any]:
    run = kubernetes_name(graph.name)
    annotations = {
        "lamflow.io/config-sha256": options.config_sha256,
        "lamflow.io/graph-sha256": sha256_json([step.key for step in graph.steps]),
        "lamflow.io/revision": options.revision,
    }
    name = {"name": options.name} if options.name else {"generateName": f"{run}-"}
    return {
        **name,
        "namespace": options.namespace,
        "labels": _run_labels(graph),
        "annotations": {name: value for name, value in annotations.items() if value},
    }


def _run_labels(graph: Graph) -> dict[str, str]:
    """Labels of the workflow and of its pods."""
    return {
        "lamflow.io/run": kubernetes_name(graph.name),
        "lamflow.io/kind": graph.kind,
        "lamflow.io/version": re.sub(r"[^\w.-]", "-", __version__),
    }


def _spec(raw: Mapping[str, Any], graph: Graph, options: ArgoOptions) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "entrypoint": raw["entrypoint"],
        "serviceAccountName": options.service_account,
        "securityContext": POD_SECURITY,
        "podSpecPatch": json.dumps(POD_PATCH),
        "archiveLogs": True,
        "podGC": {"strategy": "OnPodSuccess"},
        "ttlStrategy": {"secondsAfterSuccess": 7 * _DAY_S, "secondsAfterFailure": 30 * _DAY_S},
        "podMetadata": {"labels": {"app.kubernetes.io/part-of": "lamflow", **_run_labels(graph)}},
        "templates": raw["templates"],
    }
    if options.parallel:
        spec["parallelism"] = options.parallel
    if options.priority is not None:
        spec["priority"] = options.priority
    return spec


def _finish_dag(template: dict[str, Any]) -> None:
    template["dag"]["failFast"] = False
    for task in template["dag"]["tasks"]:
        arguments = task.get("arguments", {})
        for artifact in arguments.get("artifacts", []):
            artifact.pop("path", None)  # belongs to templates; arguments only say where from
        if not task.get("depends"):
            task.pop("depends", None)
    _drop_empty(template)


def _label(template: dict[str, Any], step: Step) -> None:
    operator = step.operator
    template["metadata"] = {
        "labels": {
            "lamflow.io/step": kubernetes_name(step.name)[:_LABEL_LENGTH].rstrip("-"),
            "lamflow.io/operator": kubernetes_name(operator.name),
            "lamflow.io/profile": kubernetes_name(operator.profile),
        },
        "annotations": {_KEY: step.key},
    }


def _place_outputs(template: dict[str, Any], graph: Graph, step: Step, prefix: str) -> None:
    """Put outputs where later runs find them: below the step's key, in a folder of the attempt."""
    folder = f"{step_prefix(prefix, step.key)}/{{{{pod.name}}}}"
    for artifact in template["outputs"]["artifacts"]:
        artifact["s3"] = {"key": f"{folder}/{artifact_file(graph, step, artifact['name'])}"}


def _drop_empty(node: Any) -> None:
    """Remove keys without a value, which Argo's schema has no place for, and defaults spelt out.

    An empty ``emptyDir`` or ``none`` says something and stays.
    """
    if isinstance(node, list):
        for item in node:
            _drop_empty(item)
    if not isinstance(node, dict):
        return
    for key, value in list(node.items()):
        _drop_empty(value)
        empty = value is None or (value in ({}, []) and key not in ("emptyDir", "none"))
        if empty or (key == "optional" and value is False):
            del node[key]


def kubernetes_name(name: str) -> str:
    """Return a name such as Kubernetes takes for labels and objects."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")
