"""Runs the tasks of a manifest one after the other, as Argo's executor would in pods.

For each task the input artifacts come from the bucket, the template's script is run, and its
output artifacts go to the bucket; between two tasks nothing else is kept.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lamflow.store.fetch import look
from lamflow.store.folders import download_folder
from lamflow.store.protocol import Store

_TIMEOUT_S = 600
_FROM = re.compile(r"\{\{tasks\.([\w-]+)\.outputs\.artifacts\.([\w-]+)\}\}")


class Runner(Protocol):
    """Runs a template's script with its /tmp at `root`; gives the exit status and the log."""

    def __call__(self, template: dict[str, Any], root: Path) -> tuple[int, str]: ...


def in_process(template: dict[str, Any], root: Path) -> tuple[int, str]:
    """Run the script as a process of this machine; ``/tmp`` is another folder for it."""
    script = template["script"]
    assert script["command"] == ["python3"]
    assert script["source"].count('"/tmp"') == 1
    source = script["source"].replace('"/tmp"', json.dumps(str(root)))
    variables = {item["name"]: item["value"].replace("/tmp", str(root)) for item in script["env"]}
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if
            name in os.environ}  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-c", source], env=kept | variables, cwd=root, timeout=_TIMEOUT_S,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return ended.returncode, ended.stdout


@dataclass(frozen=True)
class InContainer:
    """Run the script in a container as restricted as the pods are; without any network."""

    image: str
    engine: str = "podman"

    def __call__(self, template: dict[str, Any], root: Path) -> tuple[int, str]:
        script = template["script"]
        security = script["securityContext"]
        assert security["readOnlyRootFilesystem"]
        source = root.parent / f"{root.name}.script"
        source.write_text(script["source"])
        for path in [root, *root.rglob("*")]:
            os.chown(path, 1000, 1000)
        variables = [f"--env={item['name']}={item['value']}" for item in script["env"]]
        command = [
            self.engine, "run", "--rm", "--network=none", "--read-only", "--read-only-tmpfs=false",
            "--user=1000:1000", *(f"--cap-drop={name}" for name in
                                  security["capabilities"]["drop"]),
            "--security-opt=no-new-privileges", f"--volume={root}:/tmp",
            f"--volume={source}:/argo/staging/script:ro", *variables, "--workdir=/tmp",
            self.image, *script["command"], "/argo/staging/script",
        ]  # fmt: skip
        ended = subprocess.run(
            command, timeout=_TIMEOUT_S, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return ended.returncode, ended.stdout


@dataclass
class Pods:
    """The tasks of one manifest, the bucket, and what has come of them.

    Attributes
    ----------
    keys
        Where the outputs of the tasks that are done lie: by task, by port.
    numbers
        Output parameters, as text: by task, by name.
    """

    manifest: dict[str, Any]
    store: Store
    folder: Path
    run: Runner
    keys: dict[str, dict[str, str]] = field(default_factory=dict)
    numbers: dict[str, dict[str, str]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)

    def run_all(self) -> None:
        """Run all tasks; they stand in an order in which they can run."""
        spec = self.manifest["spec"]
        templates = {template["name"]: template for template in spec["templates"]}
        for task in templates[spec["entrypoint"]]["dag"]["tasks"]:
            name = task["name"]
            status = self.run_task(task, templates[task["template"]], f"pod-{name}-1")
            assert status == 0, f"{name}: exit status {status}\n{self.logs[name]}"

    def run_task(self, task: dict[str, Any], template: dict[str, Any], pod: str) -> int:
        """Run one task; give its exit status. Its outputs count only if that is 0."""
        name = task["name"]
        root = self.folder / pod
        (root / "inputs").mkdir(parents=True)
        given = {item["name"]: item for item in task["arguments"]["artifacts"]}
        for wanted in template["inputs"]["artifacts"]:
            self._fetch(given[wanted["name"]], _inside(root, wanted["path"]))
        status, self.logs[name] = self.run(template, root)
        if status:
            return status
        outputs = template["outputs"]
        self.keys[name] = {}
        for artifact in outputs["artifacts"]:
            key = artifact["s3"]["key"].replace("{{pod.name}}", pod)
            self._send(_inside(root, artifact["path"]), key)
            self.keys[name][artifact["name"]] = key
        self.numbers[name] = {
            item["name"]: _inside(root, item["valueFrom"]["path"]).read_text()
            for item in outputs.get("parameters", [])
        }
        return 0

    def _fetch(self, source: dict[str, Any], target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if "raw" in source:
            target.write_text(source["raw"]["data"])
            return
        assert source["archive"] == {"none": {}}
        key = source["s3"]["key"] if "s3" in source else self._from(source["from"])
        remote = look(self.store, key)
        if remote.is_object:
            self.store.get(key, target)
        else:
            download_folder(self.store, key, target)

    def _from(self, reference: str) -> str:
        match = _FROM.fullmatch(reference)
        assert match
        return self.keys[match[1]][match[2]]

    def _send(self, path: Path, key: str) -> None:
        if path.is_file():
            self.store.put(key, path)
        for file in sorted(path.rglob("*")):
            if file.is_file():
                self.store.put(f"{key}/{file.relative_to(path).as_posix()}", file)


def _inside(root: Path, path: str) -> Path:
    return root / Path(path).relative_to("/tmp")
