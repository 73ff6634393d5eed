"""A stand-in for Argo's server: checks each request against the schema and plays back phases.

Each request for a workflow moves it on by one step. Without `pods` nothing is run: a test says
which step fails, and made-up outputs go into the bucket. With `pods` the steps' scripts are run.
"""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from argo_checks import VERSIONS, reference_errors, schema_errors
from argo_pods import Pods

from lamflow.store.protocol import Store

TOKEN = "stub-token-4711"
NAMESPACE = "science"
_PACKAGE = "io.argoproj.workflow.v1alpha1."
_BODIES = {
    "submit": "WorkflowCreateRequest", "stop": "WorkflowStopRequest",
    "terminate": "WorkflowTerminateRequest", "suspend": "WorkflowSuspendRequest",
    "resume": "WorkflowResumeRequest", "retry": "WorkflowRetryRequest",
    "from cron": "WorkflowSubmitRequest",
    "cron create": "CreateCronWorkflowRequest", "cron update": "UpdateCronWorkflowRequest",
    "cron suspend": "CronWorkflowSuspendRequest", "cron resume": "CronWorkflowResumeRequest",
}  # fmt: skip


@dataclass
class Stub:
    """State of the server; tests change it while it runs."""

    store: Store | None = None
    url: str = ""
    workflows: dict[str, dict[str, Any]] = field(default_factory=dict)
    archived: dict[str, dict[str, Any]] = field(default_factory=dict)
    crons: dict[str, dict[str, Any]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    faults: list[int] = field(default_factory=list)
    hold: bool = False
    delay_s: float = 0.0
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    clock_s: float = 0.0
    numbers: Callable[[str], Any] = lambda name: "1.5"
    pods: Callable[[dict[str, Any]], Pods] | None = None
    running: dict[str, Pods] = field(default_factory=dict)

    def submit(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        workflow = body["workflow"]
        if body.get("serverDryRun"):
            return 200, workflow
        self.errors += reference_errors(workflow)
        name = workflow["metadata"]["name"]
        if name in self.workflows:
            return 409, {"message": f'workflows.argoproj.io "{name}" already exists'}
        workflow["metadata"]["uid"] = f"uid-{name}"
        workflow["metadata"]["creationTimestamp"] = "2026-01-02T03:04:05Z"
        workflow["status"] = {"phase": "Running", "nodes": {}}
        self.workflows[name] = workflow
        return 200, workflow

    def schedule(self, manifest: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Create a CronWorkflow; what it would start must be sound."""
        name = manifest["metadata"]["name"]
        if name in self.crons:
            return 409, {"message": f'cronworkflows.argoproj.io "{name}" already exists'}
        self.errors += reference_errors({"spec": manifest["spec"]["workflowSpec"]})
        manifest["metadata"]["resourceVersion"] = "1"
        self.crons[name] = manifest
        return 200, manifest

    def reschedule(self, name: str, manifest: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Replace a CronWorkflow, if the version is the one that is there."""
        if manifest["metadata"].get("resourceVersion") != (
            version := self.crons[name]["metadata"]["resourceVersion"]
        ):
            return 409, {"message": "the object has been modified"}
        manifest["metadata"]["resourceVersion"] = str(int(version) + 1)
        self.crons[name] = manifest
        return 200, manifest

    def start(self, name: str, options: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Start a workflow of a CronWorkflow, as Argo's controller and its server do."""
        spec = self.crons[name]["spec"]
        metadata = {**spec["workflowMetadata"], "name": options["name"], "namespace": NAMESPACE}
        extra = dict(pair.split("=") for pair in options.get("labels", "").split(",") if pair)
        metadata["labels"] = {
            **metadata["labels"], "workflows.argoproj.io/cron-workflow": name, **extra
        }  # fmt: skip
        return self.submit({
            "workflow": {
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata,
                "spec": spec["workflowSpec"],
            }
        })  # fmt: skip

    def act(self, name: str, verb: str) -> tuple[int, dict[str, Any]]:
        workflow = self.workflows[name]
        spec, status = workflow["spec"], workflow["status"]
        if verb in ("stop", "terminate"):
            spec["shutdown"] = verb.title()
            status["phase"] = "Failed"
        if verb in ("suspend", "resume"):
            spec["suspend"] = verb == "suspend"
        if verb == "retry":
            if status["phase"] != "Failed":
                return 400, {"message": "workflow must be Failed/Error to retry"}
            spec.pop("shutdown", None)
            status["phase"] = "Running"
            done = {k: n for k, n in status["nodes"].items() if n["phase"] == "Succeeded"}
            status["nodes"] = done
        return 200, workflow

    def advance(self, workflow: dict[str, Any]) -> None:
        """Finish the next step that can run."""
        spec, status = workflow["spec"], workflow["status"]
        if status["phase"] != "Running" or spec.get("suspend") or self.hold:
            return
        templates = {template["name"]: template for template in spec["templates"]}
        nodes = status["nodes"]
        done = {n["displayName"] for n in nodes.values() if n["type"] == "Retry"}
        for task in templates[spec["entrypoint"]]["dag"]["tasks"]:
            if task["name"] not in done:
                self._run(workflow, task, templates[task["template"]])
                break
        else:
            status["phase"] = "Succeeded"

    def _run(
        self, workflow: dict[str, Any], task: dict[str, Any], template: dict[str, Any]
    ) -> None:
        name, run = task["name"], workflow["metadata"]["name"]
        identity = f"{run}-{abs(hash(name)) % 10**9}"
        pod = f"{run}-{name}-{identity.rpartition('-')[2]}1"
        failed, outputs = self._play(task, template, pod, workflow)
        times = {"startedAt": "2026-01-02T03:04:05Z", "finishedAt": "2026-01-02T03:04:15Z"}
        phase = "Failed" if failed else "Succeeded"
        message = "main: Error (exit code 2)" if failed else None
        common = {**times, "phase": phase, "message": message, "templateName": name}
        nodes = workflow["status"]["nodes"]
        nodes[identity] = {
            "id": identity, "displayName": name, "type": "Retry", "children": [f"{identity}1"],
            "outputs": outputs, **common,
        }  # fmt: skip
        logs = self._log(run, name, pod)
        artifacts = [*outputs.get("artifacts", []), logs]
        nodes[f"{identity}1"] = {
            "id": f"{identity}1", "displayName": f"{name}(0)", "type": "Pod",
            "outputs": {**outputs, "artifacts": artifacts}, **common,
        }  # fmt: skip
        if failed:
            workflow["status"]["phase"] = "Failed"

    def _play(
        self, task: dict[str, Any], template: dict[str, Any], pod: str, workflow: dict[str, Any]
    ) -> tuple[bool, dict[str, Any]]:
        """Run a task or make it up; tell whether it failed, and its outputs."""
        if not self.pods:
            failed = task["name"] in self.failing
            return failed, {} if failed else self._outputs(template, pod)
        name = task["name"]
        pods = self.running.setdefault(workflow["metadata"]["name"], self.pods(workflow))
        if pods.run_task(task, template, pod):
            return True, {}
        artifacts = [{"name": port, "s3": {"key": key}} for port, key in pods.keys[name].items()]
        parameters = [{"name": n, "value": value} for n, value in pods.numbers[name].items()]
        return False, {"artifacts": artifacts, "parameters": parameters}

    def _outputs(self, template: dict[str, Any], pod: str) -> dict[str, Any]:
        artifacts = []
        assert self.store
        step_key = template["metadata"]["annotations"]["lamflow.io/key"]
        contents = {a["name"]: f"{step_key} {a['name']}".encode() for a in
                    template["outputs"]["artifacts"]}  # fmt: skip
        record = {
            "key": step_key, "name": template["name"], "numbers": {"n": 7}, "started": 1.0,
            "finished": 2.5,
            "outputs": {name: {"files": 1, "bytes": len(content)}
                        for name, content in contents.items() if name != "step"},
        }  # fmt: skip
        contents["step"] = json.dumps(record).encode()
        for artifact in template["outputs"]["artifacts"]:
            key = artifact["s3"]["key"].replace("{{pod.name}}", pod)
            self.store.write(key, contents[artifact["name"]])
            artifacts.append({"name": artifact["name"], "s3": {"key": key}})
        parameters = [
            {"name": item["name"], "value": self.numbers(item["name"])}
            for item in template["outputs"].get("parameters", [])
        ]
        return {"artifacts": artifacts, "parameters": parameters}

    def _log(self, run: str, name: str, pod: str) -> dict[str, Any]:
        assert self.store
        key = f"logs/{pod}/main.log"
        text = self.running[run].logs[name] if run in self.running else f"this is {name}\n"
        self.store.write(key, text.encode())
        return {"name": "main-logs", "s3": {"key": key}}


class _Handler(BaseHTTPRequestHandler):
    stub: Stub

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string((timestamp or time.time()) + self.stub.clock_s)  # type: ignore[arg-type]

    def _serve(self) -> None:
        stub = self.stub
        path = self.path.partition("?")[0]
        stub.requests.append(f"{self.command} {path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        stub.bodies.append(body)
        time.sleep(stub.delay_s)
        if stub.faults:
            self._answer(stub.faults.pop(0), {"code": 7, "message": "the stub was told to"})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"code": 16, "message": "token not valid"})
        else:
            self._route(path, json.loads(body) if body else None)

    def _route(self, path: str, body: Any) -> None:
        stub, base = self.stub, f"/api/v1/workflows/{NAMESPACE}"
        name, _, verb = path.removeprefix(base).strip("/").partition("/")
        if path.startswith(f"/api/v1/cron-workflows/{NAMESPACE}"):
            self._route_cron(path.removeprefix(f"/api/v1/cron-workflows/{NAMESPACE}"), body)
        elif path.startswith("/api/v1/archived-workflows"):
            uid = path.removeprefix("/api/v1/archived-workflows").strip("/")
            found: Any = {"items": list(stub.archived.values())}
            self._found(stub.archived.get(uid) if uid else found)
        elif path == "/api/v1/version":
            self._answer(200, {"version": "v4.1.2"})
        elif not path.startswith(base):
            self._answer(404, {"message": "no such page"})
        elif self.command == "POST":
            self._check("from cron" if name == "submit" else "submit", body)
            started = (body["resourceName"], body["submitOptions"]) if name == "submit" else None
            self._answer(*(stub.start(*started) if started else stub.submit(body)))
        elif not name:
            self._answer(200, {"items": self._selected()})
        elif name not in stub.workflows:
            self._answer(404, {"message": f'workflows.argoproj.io "{name}" not found'})
        elif self.command == "PUT":
            self._check(verb, body)
            self._answer(*stub.act(name, verb))
        elif verb == "log":
            self._log(name)
        else:
            stub.advance(stub.workflows[name])
            self._answer(200, stub.workflows[name])

    def _selected(self) -> list[dict[str, Any]]:
        """Workflows that the label selector of the request takes."""
        query = parse_qs(self.path.partition("?")[2])
        name, _, value = query.get("listOptions.labelSelector", [""])[0].partition("=")
        return [
            one
            for one in self.stub.workflows.values()
            if not value or one["metadata"].get("labels", {}).get(name) == value
        ]

    def _route_cron(self, path: str, body: Any) -> None:
        stub = self.stub
        name, _, verb = path.strip("/").partition("/")
        if self.command == "POST":
            self._check("cron create", body)
            self._answer(*stub.schedule(body["cronWorkflow"]))
        elif not name:
            self._answer(200, {"items": list(stub.crons.values()) or None})
        elif name not in stub.crons:
            self._answer(404, {"message": f'cronworkflows.argoproj.io "{name}" not found'})
        elif self.command == "DELETE":
            del stub.crons[name]
            self._answer(200, {})
        elif self.command == "PUT" and not verb:
            self._check("cron update", body)
            self._answer(*stub.reschedule(name, body["cronWorkflow"]))
        elif self.command == "PUT":
            self._check(f"cron {verb}", body)
            stub.crons[name]["spec"]["suspend"] = verb == "suspend"
            self._answer(200, stub.crons[name])
        else:
            self._answer(200, stub.crons[name])

    def _found(self, document: Any) -> None:
        self._answer(200 if document else 404, document or {"message": "not found"})

    def _check(self, what: str, body: Any) -> None:
        for version in VERSIONS:
            found = schema_errors(body, version, _PACKAGE + _BODIES[what])
            self.stub.errors += [f"{what}, Argo {version}: {error}" for error in found]

    def _log(self, name: str) -> None:
        lines = [
            json.dumps({"result": {"podName": f"{name}-live-00", "content": f"line {n}"}})
            for n in range(2)
        ]
        self._answer(200, "\n".join(lines) + "\n")

    def _answer(self, status: int, document: Any) -> None:
        text = document if isinstance(document, str) else json.dumps(document)
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def argo_stub(certificate: tuple[Path, Path] | None = None) -> Iterator[Stub]:
    """Run the stub on a free port; with TLS if there are a certificate and its key (PEM)."""
    stub = Stub()
    handler = type("Handler", (_Handler,), {"stub": stub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    stub.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
