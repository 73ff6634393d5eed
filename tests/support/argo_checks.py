"""Checks of Argo manifests: the strict schema, and references that the schema can't see."""

import gzip
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).parents[1] / "data/argo-schema"
VERSIONS = ("3.7.18", "4.1.2")
WORKFLOW = "io.argoproj.workflow.v1alpha1.Workflow"
_FREE = ("FieldsV1", "Plugin", "SuppliedValueFrom")  # objects of any content
_OUTPUT = re.compile(r"tasks\.([\w-]+)\.outputs\.(artifacts|parameters)\.([\w-]+)")
_REFERENCE = re.compile(r"\{\{(.*?)\}\}")
_AGAIN = ("=lastRetry.exitCode == '137' ?", "=sprig.int(retries) > 0 ?")
_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?-?")


@cache
def _definitions(version: str) -> dict[str, Any]:
    with gzip.open(SCHEMAS / f"v{version}-schema.json.gz") as file:
        definitions: dict[str, Any] = json.load(file)["definitions"]
    for name, definition in definitions.items():
        if not name.endswith(_FREE):
            _forbid_unknown(definition)
    return definitions


def _forbid_unknown(node: Any) -> None:
    if isinstance(node, dict):
        if node.get("type") == "object" and "additionalProperties" not in node:
            node["additionalProperties"] = False
        for value in node.values():
            _forbid_unknown(value)


@cache
def _validator(version: str, definition: str) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": f"#/definitions/{definition}", "definitions": _definitions(version)}
    )


def schema_errors(document: Any, version: str, definition: str = WORKFLOW) -> list[str]:
    """Say what is not as the schema of an Argo release wants it, unknown fields included."""
    errors = _validator(version, definition).iter_errors(document)
    return [f"{error.json_path}: {error.message[:300]}" for error in errors]


def reference_errors(manifest: dict[str, Any]) -> list[str]:
    """Say what refers to something that is not there."""
    return list(_reference_errors(manifest["spec"]))


def _reference_errors(spec: dict[str, Any]) -> Iterator[str]:
    templates = {template["name"]: template for template in spec["templates"]}
    if len(templates) != len(spec["templates"]):
        yield "two templates have one name"
    if spec["entrypoint"] not in templates:
        yield f"no entrypoint {spec['entrypoint']}"
    for template in templates.values():
        if "dag" in template:
            yield from _dag_errors(template, templates)
        else:
            yield from _leaf_errors(template)


def _dag_errors(template: dict[str, Any], templates: dict[str, Any]) -> Iterator[str]:
    tasks = {task["name"]: task for task in template["dag"]["tasks"]}
    for name, task in tasks.items():
        used = templates.get(task.get("template"))
        if used is None:
            yield f"task {name}: no template {task.get('template')}"
            continue
        yield from _argument_errors(name, task, used)
        needs = set(re.findall(r"\(([\w-]+)\.", task.get("depends", "")))
        yield from (f"task {name} depends on {need}" for need in needs - set(tasks))
        for other, kind, port in _outputs_named(task):
            if other not in needs:
                yield f"task {name} reads {other} without depending on it"
            elif port not in _names(templates.get(tasks[other]["template"], {}), "outputs", kind):
                yield f"task {name} reads {other}'s {kind} {port}, which is no output"
    if _has_cycle(tasks):
        yield "tasks depend on each other in a circle"


def _outputs_named(task: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for reference in _REFERENCE.findall(json.dumps(task)):
        match = _OUTPUT.fullmatch(reference)
        assert match, f"what is {reference}?"
        yield match[1], match[2], match[3]


def _argument_errors(name: str, task: dict[str, Any], used: dict[str, Any]) -> Iterator[str]:
    for kind in ("artifacts", "parameters"):
        given = {item["name"] for item in task.get("arguments", {}).get(kind, [])}
        known = _names(used, "inputs", kind)
        yield from (f"task {name}: template takes no {kind} {item}" for item in given - known)
        if kind == "artifacts":
            yield from (f"task {name}: artifact {item} is not given" for item in known - given)


def _leaf_errors(template: dict[str, Any]) -> Iterator[str]:
    name = template["name"]
    for reference in _REFERENCE.findall(json.dumps(template)):
        if reference not in ("pod.name", "workflow.uid") and not reference.startswith(_AGAIN):
            yield f"template {name}: what is {reference}?"
    volumes = {volume["name"] for volume in template.get("volumes", [])}
    mounts = {mount["name"] for mount in template["script"].get("volumeMounts", [])}
    yield from (f"template {name}: no volume {mount}" for mount in mounts - volumes)
    paths = [item["path"] for item in template["inputs"]["artifacts"]]
    if len(set(paths)) != len(paths):
        yield f"template {name}: two inputs have one path"


def _names(template: dict[str, Any], way: str, kind: str) -> set[str]:
    return {item["name"] for item in template.get(way, {}).get(kind, [])}


def _has_cycle(tasks: dict[str, Any]) -> bool:
    left = {n: set(re.findall(r"\(([\w-]+)\.", t.get("depends", ""))) for n, t in tasks.items()}
    while left:
        free = {name for name, needs in left.items() if not needs & set(left)}
        if not free:
            return True
        left = {name: needs for name, needs in left.items() if name not in free}
    return False


def name_errors(manifest: dict[str, Any]) -> list[str]:
    """Say which labels and names Kubernetes would not take."""
    metadata = manifest["metadata"]
    errors = []
    name = metadata.get("name") or metadata["generateName"]
    if len(name) > 58 or not _OBJECT_NAME.fullmatch(name):
        errors.append(f"name {name}")
    for labels in [metadata["labels"], *(t.get("metadata", {}).get("labels", {}) for t in
                                         manifest["spec"]["templates"])]:  # fmt: skip
        errors += [f"label {k}: {v}" for k, v in labels.items() if not _LABEL.fullmatch(v)]
    for template in manifest["spec"]["templates"]:
        if len(template["name"]) > 128 or not re.fullmatch(r"[a-z0-9][a-z0-9-]*", template["name"]):
            errors.append(f"template {template['name']}")
    return errors
