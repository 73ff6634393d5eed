"""Schedules on a cluster: an Argo CronWorkflow around the workflow of a graph."""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from lamflow.context import find_context
from lamflow.context_access import open_location, read_token
from lamflow.engine.argo_api import ArgoApi, ConflictError, MissingError
from lamflow.engine.argo_status import workflow_phase
from lamflow.engine.argo_store import upload_inputs
from lamflow.engine.graph import Graph
from lamflow.engine.manifest import kubernetes_name, options_from, render
from lamflow.errors import InputError, Problem
from lamflow.progress import Progress, silent

SCHEDULE_LABEL = "lamflow.io/schedule"
CRON_LABEL = "workflows.argoproj.io/cron-workflow"
_NAME_LENGTH = 52  # Argo adds the time to it


@dataclass(frozen=True)
class Timing:
    """When a schedule fires.

    Attributes
    ----------
    cron
        Five fields: minute, hour, day of month, month, day of week.
    timezone
        Name in the IANA database, such as Europe/Berlin.
    deadline_s
        So late a firing may still begin, s.
    keep_succeeded, keep_failed
        So many runs of either kind stay on the cluster.
    """

    cron: str
    timezone: str = "UTC"
    deadline_s: int = 3600
    keep_succeeded: int = 7
    keep_failed: int = 14


def render_cron(workflow: Mapping[str, Any], name: str, timing: Timing) -> dict[str, Any]:
    """Put a workflow (see `lamflow.engine.manifest.render`) on a schedule; plain data.

    The manifest is valid for Argo 3.6 to 4.1: `schedules` came with 3.6, and `schedule` went with
    4.0. Firings do not overlap: one that falls into the last one's run is left out.
    """
    metadata = workflow["metadata"]
    labels = metadata["labels"] | {SCHEDULE_LABEL: name}
    return {
        "apiVersion": workflow["apiVersion"],
        "kind": "CronWorkflow",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": metadata["annotations"],
        },
        "spec": {
            "schedules": [timing.cron],
            "timezone": timing.timezone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": timing.deadline_s,
            "successfulJobsHistoryLimit": timing.keep_succeeded,
            "failedJobsHistoryLimit": timing.keep_failed,
            "workflowMetadata": {"labels": labels, "annotations": metadata["annotations"]},
            "workflowSpec": workflow["spec"],
        },
    }


def schedule_name(name: str) -> str:
    """Return a schedule's name as Argo takes it."""
    return kubernetes_name(name)[:_NAME_LENGTH].rstrip("-")


class ArgoSchedules:
    """Schedules of one context.

    Parameters
    ----------
    context
        Name of the context; None: the current one.

    Raises
    ------
    InputError
        There is no such context, or it lacks Argo or a bucket.
    """

    def __init__(self, context: str | None = None) -> None:
        self.name, found = find_context(context)
        if found.argo is None or found.store is None:
            what = "Argo server: --server URL" if found.argo is None else "bucket: --bucket"
            raise InputError(f"context '{self.name}' has no {what}, lamflow context add --replace")
        self._place, server = found.store, found.argo
        self.api = ArgoApi(server, lambda: read_token(server))

    def create(
        self,
        graph: Graph,
        config: Mapping[str, Any],
        timing: Timing,
        *,
        replaces: bool = False,
        progress: Progress = silent,
    ) -> dict[str, Any]:
        """Upload what the steps read of this machine, and put the graph on a schedule.

        Raises
        ------
        InputError
            There is one of this name and `replaces` is not set, or Argo refuses it.
        """
        store = open_location(f"s3://{self._place.bucket}/x", self.name)[0]
        upload_inputs(store, self._place.prefix, graph, progress)
        options = replace(
            options_from(config), namespace=self.api.server.namespace, prefix=self._place.prefix
        )
        name = schedule_name(graph.name)
        manifest = render_cron(render(graph, options), name, timing)
        try:
            return self.api.create_cron(manifest)
        except ConflictError:
            if not replaces:
                what = "there is a schedule of this name; --replace puts this one in its place"
                raise InputError(Problem(name, "", what)) from None
        old = self.api.get_cron(name)
        manifest["metadata"]["resourceVersion"] = old["metadata"].get("resourceVersion", "")
        manifest["spec"]["suspend"] = bool(old["spec"].get("suspend"))
        return self.api.update_cron(name, manifest)

    def list_all(self) -> list[dict[str, Any]]:
        """Return all schedules of lamflow in the namespace, in brief."""
        return [_brief(one) for one in self.api.list_crons(SCHEDULE_LABEL)]

    def show(self, name: str) -> dict[str, Any]:
        """Return one in brief; InputError with those that there are if there is none."""
        return _brief(self._known(name))

    def suspend(self, name: str, *, suspended: bool) -> dict[str, Any]:
        """Let it rest, or fire again."""
        self._known(name)
        return _brief(self.api.act_cron(name, "suspend" if suspended else "resume"))

    def delete(self, name: str) -> None:
        """Remove it; runs that it started go on."""
        self._known(name)
        self.api.delete_cron(name)

    def run_now(self, name: str) -> str:
        """Start a run beside the schedule; return the workflow's name."""
        self._known(name)
        labels = f"{CRON_LABEL}={name},{SCHEDULE_LABEL}={name}"
        workflow = f"{name}-{secrets.token_hex(3)}"  # ours, so that sent twice it starts one run
        with suppress(ConflictError):
            self.api.submit_from_cron(name, workflow, labels)
        return workflow

    def history(self, name: str) -> list[dict[str, Any]]:
        """Return its runs, live and archived, newest first."""
        self._known(name)
        found = [
            {
                "workflow": one["metadata"]["name"],
                "status": workflow_phase(one),
                "started": one.get("status", {}).get("startedAt")
                or one["metadata"].get("creationTimestamp", ""),
                "finished": one.get("status", {}).get("finishedAt") or "",
                "link": self.api.link(one["metadata"]["name"]),
            }
            for one in self.api.list_runs(f"{CRON_LABEL}={name}")
        ]
        return sorted(found, key=lambda run: str(run["started"]), reverse=True)

    def _known(self, name: str) -> dict[str, Any]:
        try:
            return self.api.get_cron(name)
        except MissingError:
            there = ", ".join(str(one["name"]) for one in self.list_all()) or "none"
            raise InputError(
                Problem(name, "", f"no such schedule in context {self.name}; there are: {there}")
            ) from None


def _brief(cron: Mapping[str, Any]) -> dict[str, Any]:
    spec, status = cron["spec"], cron.get("status") or {}
    return {
        "name": cron["metadata"]["name"],
        "kind": cron["metadata"].get("labels", {}).get("lamflow.io/kind", ""),
        "cron": "; ".join(spec.get("schedules") or [spec.get("schedule", "")]),
        "timezone": spec.get("timezone", ""),
        "suspended": bool(spec.get("suspend")),
        "last": status.get("lastScheduledTime") or "",
        "active": [one["name"] for one in status.get("active") or []],
        "problems": [
            f"{one['type']}: {one.get('message', '')}"
            for one in status.get("conditions") or []
            if one.get("status") == "True"
        ],
    }
