"""Commands that start work: submit, retry, plan."""

import json
import os
import sys
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamflow.errors import InputError, Problem
from lamflow.progress import silent

if TYPE_CHECKING:
    from lamflow.config.loader import LoadedConfig
    from lamflow.engine.argo import ArgoEngine
    from lamflow.engine.graph import Graph
    from lamflow.engine.records import RunFolder

ConfigFile = Annotated[Path, typer.Argument(metavar="FILE", help="The workflow's YAML file.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one key of the file.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON at the end.")]
RunName = Annotated[
    str | None, typer.Option("--name", help="Name of the run; default: `name` in the file.")
]


class EngineName(StrEnum):
    """Where to run."""

    local = "local"
    argo = "argo"


def submit(
    file: ConfigFile,
    engine: Annotated[EngineName, typer.Option(help="Where to run.")] = EngineName.local,
    name: RunName = None,
    overrides: Overrides = None,
    redo: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP", help="Do a finished step again, and all that depends on it."),
    ] = None,
    context: Annotated[
        str | None, typer.Option(metavar="NAME", help="Cluster and bucket; see lamflow context.")
    ] = None,
    detach: Annotated[bool, typer.Option(help="Start it and return.")] = False,
    as_json: AsJson = False,
) -> int:
    """Run a workflow; submitting the same file again goes on where it was."""
    from lamflow.engine.local import prepare_run

    loaded, graph = _load(file, overrides, cluster=engine is EngineName.argo)
    run = _run_folder(name or graph.name)
    config = loaded.config.model_dump(mode="json")
    if engine is EngineName.argo:
        from lamflow.engine.argo import ArgoEngine

        argo = ArgoEngine(context)
        progress = silent if _is_quiet(as_json) else _UploadLines()
        argo.submit(run, graph, loaded.text, config, loaded.path, redo or [], progress)
        return _follow_argo(argo, run, detach=detach, as_json=as_json)
    if run.record.exists() and run.read()["engine"] != "local":
        raise InputError(f"{run.path} is a run on a cluster; name another: --name {run.name}-local")
    prepare_run(run, graph, loaded.text, config, _options(loaded), loaded.path, redo or [])
    return _start(run, detach=detach, as_json=as_json)


def retry(
    run_name: Annotated[str, typer.Argument(metavar="RUN", help="Name of the run.")],
    detach: Annotated[bool, typer.Option(help="Start it and return.")] = False,
    as_json: AsJson = False,
) -> int:
    """Go on with a run that failed or was stopped, with the configuration it had."""
    from lamflow.engine.local import check_free
    from lamflow.engine.records import find_run

    run = find_run(run_name, Path.cwd())
    if run.read()["engine"] == "argo":
        from lamflow.engine.argo import ArgoEngine

        argo = ArgoEngine(run.read()["context"])
        argo.retry(run)
        return _follow_argo(argo, run, detach=detach, as_json=as_json)
    check_free(run)
    return _start(run, detach=detach, as_json=as_json)


def plan(
    file: ConfigFile, name: RunName = None, overrides: Overrides = None, as_json: AsJson = False
) -> None:
    """Show the steps of a workflow, which are done already, and how long the rest may take."""
    from lamflow.engine.estimate import estimate_steps
    from lamflow.workflows.kinds import at_most

    loaded, graph = _load(file, overrides)
    steps = estimate_steps(graph, _run_folder(name or graph.name), Path.cwd())
    most = at_most(loaded.config)
    if as_json:
        told = {"run": name or graph.name, "kind": graph.kind, "steps": steps}
        print(json.dumps(told | ({"at_most": most[0]} if most else {})))
        return
    from lamflow.cli.tables import print_plan

    print_plan(graph.kind, name or graph.name, steps)
    if most:
        print(most[1])


def load_checked(file: Path, overrides: list[str] | None) -> "LoadedConfig":
    """Load a configuration and look at the data that it names, in S3 too."""
    from lamflow.config.checks import load_checked_config
    from lamflow.context_access import fetch_location

    return load_checked_config(file, overrides or [], fetch=fetch_location)


def _load(
    file: Path, overrides: list[str] | None, *, cluster: bool = False
) -> "tuple[LoadedConfig, Graph]":
    from lamflow.workflows.kinds import build_graph

    loaded = load_checked(file, overrides)
    return loaded, build_graph(loaded.config, cluster=cluster)


def _run_folder(name: str) -> "RunFolder":
    from lamflow.config.base import NAME_PATTERN, is_name
    from lamflow.engine.records import RUNS_FOLDER, RunFolder

    if not is_name(name):
        what = f"{name!r} is no name for a run; it must match {NAME_PATTERN}"
        raise InputError(Problem("--name", "", what))
    return RunFolder((Path.cwd() / RUNS_FOLDER / name).resolve())


def _options(loaded: "LoadedConfig") -> Any:
    from lamflow.engine.local import LocalOptions

    settings = loaded.config.run  # type: ignore[attr-defined]
    return LocalOptions(timeout_s=settings.timeout * 60, retries=settings.retries)


def _start(run: "RunFolder", *, detach: bool, as_json: bool) -> int:
    from lamflow.cli.live import follow
    from lamflow.engine.local import start_run
    from lamflow.engine.records import run_status
    from lamflow.engine.state import FAILED, PENDING, SUCCEEDED

    attempt = start_run(run, detach=detach)
    if detach:
        if as_json:
            print(json.dumps({"run": run.name, "status": "running", "result": None}))
        else:
            print(f"run {run.name} goes on in the background; lamflow watch {run.name}")
        return 0
    interrupted = False
    try:
        follow(lambda: run_status(run), until=attempt.is_over, quiet=_is_quiet(as_json))
    except KeyboardInterrupt:
        interrupted = True
        print("\nstopping …", file=sys.stderr)
        attempt.stop()
    status = run_status(run)
    if status["status"] == PENDING:  # nobody was left to write down how it ended
        code = attempt.process.returncode
        error = f"its process ended with {code} before it began; see {run.path / 'engine.log'}"
        status |= {"status": FAILED, "error": error}
    _tell_end(run, status, as_json=as_json)
    if interrupted:
        return 130
    return 0 if status["status"] == SUCCEEDED else 3


class _UploadLines:
    """Say now and then how far an upload is, in bytes; short ones need no words."""

    every_s = 5.0

    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, done: float, total: float, values: Mapping[str, float | str]) -> None:
        if time.monotonic() - self.last > self.every_s:
            self.last = time.monotonic()
            print(f"uploading: {done / 1e6:.0f} of {total / 1e6:.0f} MB", flush=True)


def _follow_argo(argo: "ArgoEngine", run: "RunFolder", *, detach: bool, as_json: bool) -> int:
    """Follow a run on a cluster and fetch its result; Ctrl-C leaves it alone."""
    from lamflow.cli.live import follow
    from lamflow.engine.state import SUCCEEDED

    link = run.read()["link"]
    if link and not as_json:
        print(f"on the cluster: {link}")
    if detach:
        if as_json:
            print(json.dumps({"run": run.name, "status": "running", "result": None, "link": link}))
        else:
            print(f"follow it: lamflow watch {run.name}")
        return 0
    try:
        follow(lambda: argo.status(run), until=lambda: argo.is_over(run), quiet=_is_quiet(as_json))
    except KeyboardInterrupt:
        print(f"\nthe run goes on; end it: lamflow stop {run.name}", file=sys.stderr)
        return 130
    if argo.status(run)["status"] == SUCCEEDED:
        argo.fetch_result(run)
    status = argo.status(run)
    _tell_end(run, status, as_json=as_json)
    return 0 if status["status"] == SUCCEEDED else 3


def _is_quiet(as_json: bool) -> bool:
    return as_json or bool(os.environ.get("LAMFLOW_QUIET"))


def _tell_end(run: "RunFolder", status: dict[str, Any], *, as_json: bool) -> None:
    from lamflow.cli.tables import print_metrics
    from lamflow.engine.state import SUCCEEDED

    succeeded = status["status"] == SUCCEEDED
    if as_json:
        brief = {"run": run.name, "status": status["status"], "result": status["result"]}
        print(json.dumps(brief | ({"error": status["error"]} if status["error"] else {})))
    elif succeeded:
        if (run.result / "metrics.json").exists():
            print_metrics(run.result / "metrics.json")
        print(f"\nreport:  {run.result / 'report.html'}\nresult:  {run.result}")
    if not succeeded:
        lines = (
            f"run {run.name} {status['status']}: {status['error'] or 'on request'}",
            f"what happened: lamflow logs {run.name}",
            f"go on:         lamflow retry {run.name}",
        )
        print("\n".join(lines), file=sys.stderr)
