"""The Argo engine: the same graph on Kubernetes, with artifacts in a bucket.

What is done already, by this run or any other, is found by the steps' content keys in the bucket
and left out of the workflow, as the local engine leaves out what its folder has.
"""

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import Timeout

from lamflow import __version__
from lamflow.context import ArgoServer, BucketPlace, find_context
from lamflow.context_access import open_location, read_token
from lamflow.engine.argo_api import ArgoApi, ConflictError, MissingError
from lamflow.engine.argo_keys import OutputKeys
from lamflow.engine.argo_pod import check_resources
from lamflow.engine.argo_status import (
    GOING_ON,
    artifact_keys,
    attempts,
    step_node,
    step_of_pod,
    step_status,
    workflow_phase,
)
from lamflow.engine.argo_store import (
    download_result,
    find_finished,
    read_record,
    read_text,
    upload_inputs,
)
from lamflow.engine.graph import RECORD_PORT, Graph, graph_from_json, graph_to_json
from lamflow.engine.manifest import (
    ArgoOptions,
    kubernetes_name,
    options_from,
    render,
    to_yaml,
)
from lamflow.engine.records import RunFolder
from lamflow.engine.state import FAILED, PENDING, RUNNING, STOPPED, SUCCEEDED
from lamflow.errors import InputError, RunError, UnreachableError
from lamflow.files import read_json, sha256_json, write_json, write_text
from lamflow.progress import Progress, silent
from lamflow.revision import repository_version
from lamflow.store.protocol import Store

_FRESH_S = 2.0  # a status that is younger is not asked for again
_PATIENCE_S = 600.0  # so long a server may be away while a run is followed
_RECONNECT_S = 2.0
_NAME_LENGTH = 45
_TOLD = "lamflow: "  # how `lamflow.engine.step` begins the line that says why
_VERBS = ("stop", "terminate", "suspend", "resume")


class ArgoEngine:
    """Runs of one context.

    Parameters
    ----------
    name
        Name of the context; None: the current one.

    Raises
    ------
    InputError
        There is no such context, or it lacks Argo or a bucket.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name, self.context = find_context(name)
        self._seen: dict[str, tuple[float, dict[str, Any]]] = {}
        if self.context.argo is None or self.context.store is None:
            what = "Argo server: --server URL" if self.context.argo is None else "bucket: --bucket"
            raise InputError(f"context '{self.name}' has no {what}, lamflow context add --replace")
        self.server: ArgoServer = self.context.argo
        self.place: BucketPlace = self.context.store

    @cached_property
    def api(self) -> ArgoApi:
        """The Argo server's API."""
        server = self.server
        return ArgoApi(server, lambda: read_token(server))

    @cached_property
    def store(self) -> Store:
        """The whole bucket; keys have the context's prefix."""
        return open_location(f"s3://{self.place.bucket}/{self.place.prefix or 'x'}", self.name)[0]

    def submit(
        self,
        run: RunFolder,
        graph: Graph,
        config_text: str,
        config: Mapping[str, Any],
        source: Path | None = None,
        redo: Sequence[str] = (),
        progress: Progress = silent,
    ) -> None:
        """Upload what is needed and start a workflow of the steps that nobody has done yet.

        Raises
        ------
        InputError
            `redo` names a step that there is not, or Argo refuses the manifest.
        RunError
            The run is going on.
        UnreachableError
            Argo or the bucket does not answer or refuses.
        """
        options = options_from(config)
        check_resources(graph.steps, options.resources)
        again = {step.key for step in graph.dependents(redo)}
        run.path.mkdir(parents=True, exist_ok=True)
        with _locked(run):
            self._check_free(run)
            prefix = self.place.prefix
            upload_inputs(self.store, prefix, graph, progress)
            finished = find_finished(self.store, prefix, graph)
            finished = {key: ports for key, ports in finished.items() if key not in again}
            write_text(run.path / "config.yaml", config_text)
            write_json(run.path / "config.json", config)
            write_json(run.path / "graph.json", graph_to_json(graph))
            self._start_record(run, graph, finished, source)
            if len(finished) < len(graph.steps):
                self._create(run, graph, replace(options, finished=finished))
            else:
                run.update(status=SUCCEEDED)

    def status(self, run: RunFolder) -> dict[str, Any]:
        """Status of a run and its steps, as `lamflow.engine.records.run_status` has it.

        Raises
        ------
        UnreachableError
            Argo does not answer or refuses.
        """
        record = run.read()
        workflow = self._workflow(record)
        if workflow:
            phase = workflow_phase(workflow)
        else:  # all was done already, or it was never started or is deleted and not archived
            phase = record["status"] if record["status"] not in GOING_ON else FAILED
        steps = [self._step(workflow, record, step) for step in record["steps"]]
        if not workflow and record["workflow"] and record.get("last"):
            steps = record["last"]  # Argo has forgotten it
        error = None
        if phase == FAILED:
            error = record["error"] or self._why(run, workflow, steps)
        if (phase, error) != (record["status"], record["error"]):
            run.update(status=phase, error=error, last=None if phase in GOING_ON else steps)
        return {
            "run": run.name, "kind": record["kind"], "engine": "argo", "status": phase,
            "error": error, "created": record["created"], "attempts": record["attempts"],
            "result": str(run.result) if phase == SUCCEEDED and run.result.is_dir() else None,
            "context": record["context"], "link": record["link"], "steps": steps,
        }  # fmt: skip

    def is_over(self, run: RunFolder) -> bool:
        """Tell whether nothing goes on any more."""
        return self.status(run)["status"] not in GOING_ON

    def stop(self, run: RunFolder) -> bool:
        """End a run, letting Argo save what it can; tell whether there was something to end."""
        return self.act(run, "stop")

    def act(self, run: RunFolder, verb: str) -> bool:
        """Stop, terminate, suspend or resume a run; tell whether it was going on."""
        if verb not in _VERBS:
            raise ValueError(verb)
        if self.is_over(run):
            return False
        self.api.act(_workflow_name(run.read()), verb)
        self._seen.clear()
        return True

    def retry(self, run: RunFolder) -> None:
        """Go on with a run that failed: in its workflow, or in a new one if that is gone."""
        self._check_free(run)
        record = run.read()
        workflow = self._workflow(record, archived=False)
        self._seen.clear()
        if workflow and workflow_phase(workflow) in (FAILED, STOPPED):
            self.api.act(_workflow_name(record), "retry")
            run.update(status=RUNNING, error=None)
            return
        graph = graph_from_json(read_json(run.path / "graph.json"))
        text = (run.path / "config.yaml").read_text(encoding="utf-8")
        self.submit(run, graph, text, read_json(run.path / "config.json"))

    def logs(self, run: RunFolder, step: str | None, *, follow: bool) -> Iterator[tuple[str, str]]:
        """Yield (step, text) of the logs: what Argo archived first, then what pods say."""
        record = run.read()
        workflow = self._workflow(record)
        names = [item["name"] for item in record["steps"] if step in (None, item["name"])]
        archived = set()
        for name in names:
            for pod in attempts(workflow, name):
                key = artifact_keys(pod).get("main-logs")
                text = read_text(self.store, key) if key else None
                if text is not None:
                    archived.add(pod["id"].rpartition("-")[2])
                    yield name, text
        if workflow:
            yield from self._live_logs(run, names, archived, follow)

    def _live_logs(
        self, run: RunFolder, names: Sequence[str], archived: set[str], follow: bool
    ) -> Iterator[tuple[str, str]]:
        """Lines of pods whose log is not archived; after a broken connection those not told yet."""
        record, told = run.read(), Counter[str]()
        while True:
            count = Counter[str]()
            going_on = follow and not self.is_over(run)
            try:
                for pod, line in self.api.logs(_workflow_name(record), follow=going_on):
                    count[pod] += 1
                    if pod.rpartition("-")[2] in archived or count[pod] <= told[pod]:
                        continue
                    told[pod] = count[pod]
                    name = step_of_pod(self._workflow(record), pod)
                    if name in names:
                        yield str(name), f"{line}\n"
            except MissingError:
                return  # deleted; the archive has it all
            if not going_on:
                return
            time.sleep(_RECONNECT_S)

    def fetch_result(self, run: RunFolder) -> Path:
        """Download the products of a run that succeeded, unless they are there; return the folder.

        Raises
        ------
        RunError
            It has not succeeded, or its products are gone.
        """
        record = run.read()
        status = self.status(run)
        if status["status"] != SUCCEEDED:
            raise RunError(f"run {run.name}: no result yet; lamflow status {run.name}")
        keys = self._result_keys(run, record)
        marker = sha256_json(keys)
        if not run.result.is_dir() or record.get("fetched") != marker:
            download_result(self.store, keys, run.result)
            run.update(fetched=marker)
        return run.result

    def _result_keys(self, run: RunFolder, record: Mapping[str, Any]) -> dict[str, str]:
        """Where the products lie: as found at submission, as Argo says, or as the bucket has it."""
        graph = graph_from_json(read_json(run.path / "graph.json"))
        workflow = self._workflow(record)
        found: dict[str, OutputKeys] = {
            output.step.key: artifact_keys(step_node(workflow, output.step.name) or {})
            for output in graph.results.values()
        } | record["reused"]
        if not all(output.port in found[output.step.key] for output in graph.results.values()):
            found |= find_finished(self.store, self.place.prefix, graph)  # Argo forgets in time
        keys = {}
        for path, output in graph.results.items():
            if output.port not in found[output.step.key]:
                raise RunError(
                    f"run {run.name}: {path} is neither in Argo's records nor in the bucket; "
                    f"submit {record['source'] or 'the file'} again"
                )
            keys[path] = found[output.step.key][output.port]
        return keys

    def list_cluster(self) -> list[dict[str, Any]]:
        """Runs of the namespace, live and archived, newest first, whoever started them."""
        found = [
            {
                "run": workflow["metadata"]["labels"].get("lamflow.io/run", ""),
                "workflow": workflow["metadata"]["name"],
                "kind": workflow["metadata"]["labels"].get("lamflow.io/kind", ""),
                "status": workflow_phase(workflow),
                "created": workflow["metadata"].get("creationTimestamp", ""),
                "progress": workflow.get("status", {}).get("progress", ""),
                "link": self.api.link(workflow["metadata"]["name"]),
            }
            for workflow in self.api.list_runs()
        ]
        return sorted(found, key=lambda run: run["created"], reverse=True)

    def _why(
        self, run: RunFolder, workflow: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]
    ) -> str | None:
        """Say which step failed, in the step's own words if its log has them."""
        if not workflow:
            return (
                f"workflow {run.read()['workflow']} is neither on the cluster nor in its archive; "
                f"lamflow retry {run.name} goes on with what the bucket has"
            )
        for step in steps:
            if step["phase"] == FAILED:
                told = self._last_words(workflow, step["name"])
                return f"step {step['name']}: {told or step['error'] or 'failed'}"
        message: str | None = workflow.get("status", {}).get("message")
        return message

    def _last_words(self, workflow: Mapping[str, Any], name: str) -> str | None:
        """The line of a step's archived log that says why it failed."""
        pods = attempts(workflow, name)
        key = artifact_keys(pods[-1]).get("main-logs") if pods else None
        try:
            log = read_text(self.store, key) if key else None
        except UnreachableError:  # the status is worth telling without it
            return None
        told = [line for line in (log or "").splitlines() if line.startswith(_TOLD)]
        return told[-1].removeprefix(_TOLD) if told else None

    def _check_free(self, run: RunFolder) -> None:
        if not run.record.exists():
            return
        if run.read()["engine"] != "argo":
            raise InputError(
                f"{run.path} is a run of the local engine; name another: --name {run.name}-argo"
            )
        if not self.is_over(run):
            raise RunError(
                f"run {run.name} is going on as {_workflow_name(run.read())}; "
                f"follow it: lamflow watch {run.name}; end it: lamflow stop {run.name}"
            )

    def _start_record(
        self, run: RunFolder, graph: Graph, finished: Mapping[str, OutputKeys], source: Path | None
    ) -> None:
        old = run.read() if run.record.exists() else {}
        self._seen.clear()
        run.update(
            name=run.name, kind=graph.kind, engine="argo", context=self.name, status=PENDING,
            error=None, lamflow=__version__, link=None,
            source=str(source) if source else old.get("source"),
            created=old.get("created", time.time()), attempts=old.get("attempts", []),
            cached=list(finished), reused={key: dict(ports) for key, ports in finished.items()},
            records={k: read_record(self.store, p[RECORD_PORT]) for k, p in finished.items()},
            workflow=None, last=None, steps=graph.summary(),
        )  # fmt: skip

    def _create(self, run: RunFolder, graph: Graph, options: ArgoOptions) -> None:
        name = kubernetes_name(run.name)[:_NAME_LENGTH].rstrip("-") + f"-{secrets.token_hex(3)}"
        options = replace(
            options,
            name=name,
            namespace=self.server.namespace,
            prefix=self.place.prefix,
            revision=repository_version(),
        )
        if any(wanted.memory_after_oom for wanted in options.resources.values()):
            options = replace(options, argo=self.api.version())
        manifest = render(replace(graph, name=run.name), options)
        write_text(run.path / "manifest.yaml", to_yaml(manifest))
        attempt = {"workflow": name, "started": time.time()}
        # Written before it is sent: should the answer get lost, the name still leads to it.
        run.update(
            workflow=name, link=self.api.link(name), attempts=[*run.read()["attempts"], attempt]
        )
        try:
            uid = self.api.submit(manifest)["metadata"]["uid"]
        except ConflictError:  # the first answer was lost and urllib3 has sent it again
            uid = self.api.get(name)["metadata"]["uid"]
        except InputError as error:
            run.update(status=FAILED, error=str(error), workflow=None)
            raise
        except UnreachableError as error:
            run.update(status=PENDING, error=str(error))
            raise
        run.update(status=RUNNING, uid=uid)

    def _workflow(self, record: Mapping[str, Any], *, archived: bool = True) -> dict[str, Any]:
        """The run's workflow as Argo has it, empty if there is none."""
        name = record.get("workflow")
        if not name:
            return {}
        when, workflow = self._seen.get(name, (0.0, {}))
        if time.monotonic() - when > _FRESH_S or not when:
            try:
                workflow = self.api.get(name, record.get("uid") if archived else None)
            except MissingError:
                workflow = {}
            except UnreachableError:
                if when and time.monotonic() - when < _PATIENCE_S:
                    return workflow
                raise
            self._seen[name] = (time.monotonic(), workflow)
        return workflow

    def _step(
        self, workflow: Mapping[str, Any], record: Mapping[str, Any], step: Mapping[str, Any]
    ) -> dict[str, Any]:
        if step["key"] in record["reused"]:
            done = record["records"].get(step["key"], {})
            started, finished = done.get("started"), done.get("finished")
            state: dict[str, Any] = {
                "phase": SUCCEEDED, "started": started, "finished": finished, "attempts": 0,
                "error": None, "progress": {}, "numbers": done.get("numbers", {}),
            }  # fmt: skip
        else:
            state = step_status(workflow, step["name"])
        started, finished = state["started"], state["finished"]
        seconds = (finished or time.time()) - started if started else None
        return {
            **step,
            **state,
            "cached": step["key"] in record["reused"],
            "seconds": None if seconds is None else round(seconds, 2),
        }


@contextmanager
def _locked(run: RunFolder) -> Iterator[None]:
    """Keep two commands from submitting one run at the same time."""
    try:
        with run.lock():
            yield
    except Timeout:
        raise RunError(f"run {run.name} is being submitted by another command") from None


def _workflow_name(record: Mapping[str, Any]) -> str:
    return str(record["workflow"])
