"""Commands about runs that exist: runs, status, watch, logs, stop, download, report."""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamflow.errors import InputError, Problem, UnreachableError

if TYPE_CHECKING:
    from lamflow.engine.records import RunFolder

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Name of the run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]


def runs(
    as_json: AsJson = False,
    context: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Those on the cluster of a context, old ones too."),
    ] = None,
) -> None:
    """List the runs below ./lamflow-runs, newest first."""
    from lamflow.engine.records import list_runs

    if context is not None:
        _cluster_runs(context, as_json=as_json)
        return
    found = [_status_or_last(run) for run in list_runs(Path.cwd())]
    if as_json:
        keys = ("run", "kind", "engine", "status", "created", "result")
        print(json.dumps([{key: run[key] for key in keys} for run in found]))
        return
    if not found:
        print("no runs here; start one: lamflow submit FILE")
    for run in found:
        done = sum(step["phase"] == "succeeded" for step in run["steps"])
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run["created"]))
        steps = f"{done}/{len(run['steps'])} steps"
        where = "" if run["engine"] == "local" else run["engine"]
        print(f"{run['run']:<24} {run['kind']:<10} {run['status']:<12} {steps:<12} {when} {where}")


def _status_or_last(run: "RunFolder") -> dict[str, Any]:
    """Status of a run; as it was last seen, with a word about it, if its cluster is away."""
    from lamflow.engine.engines import engine_of, last_known

    try:
        return engine_of(run).status(run)
    except (UnreachableError, InputError) as error:
        print(f"{run.name}: as last seen: {error}", file=sys.stderr)
        return last_known(run)


def _cluster_runs(context: str, *, as_json: bool) -> None:
    from lamflow.engine.argo import ArgoEngine

    found = ArgoEngine(context).list_cluster()
    if as_json:
        print(json.dumps(found))
        return
    for run in found:
        shown = f"{run['run']:<24} {run['kind']:<10} {run['status']:<12} {run['progress']:<8}"
        print(f"{shown} {run['created']}  {run['link']}")


def status(run_name: RunArgument, as_json: AsJson = False) -> None:
    """Tell how a run and its steps are doing."""
    from lamflow.cli.live import print_status
    from lamflow.engine.engines import engine_of
    from lamflow.engine.records import find_run

    run = find_run(run_name, Path.cwd())
    state = engine_of(run).status(run)
    if as_json:
        print(json.dumps(state))
    else:
        print_status(state)


def watch(run_name: RunArgument) -> int:
    """Follow a run until it ends; Ctrl-C leaves it alone."""
    from lamflow.cli.live import follow
    from lamflow.engine.engines import engine_of
    from lamflow.engine.records import find_run
    from lamflow.engine.state import SUCCEEDED

    run = find_run(run_name, Path.cwd())
    engine = engine_of(run)
    try:
        follow(lambda: engine.status(run), until=lambda: engine.is_over(run))
    except KeyboardInterrupt:
        print("\nthe run goes on")
        return 0
    return 0 if engine.status(run)["status"] == SUCCEEDED else 3


def logs(
    run_name: RunArgument,
    step: Annotated[str | None, typer.Argument(metavar="[STEP]", help="One step only.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
) -> None:
    """Print the logs of a run's steps, or of one step."""
    from lamflow.engine.engines import engine_of
    from lamflow.engine.records import find_run

    run = find_run(run_name, Path.cwd())
    steps = [item["name"] for item in run.read()["steps"]]
    if step is not None and step not in steps:
        raise InputError(Problem(run.name, step, f"no such step; steps: {', '.join(steps)}"))
    last = step
    for name, text in engine_of(run).logs(run, step, follow=follow):
        if name != last:
            print(f"──── {name}")
            last = name
        sys.stdout.write(text)
        sys.stdout.flush()


def stop(run_name: RunArgument) -> None:
    """End a run; its finished steps and checkpoints stay, `lamflow retry` goes on."""
    _act(run_name, "stop", "stopped")


def terminate(run_name: RunArgument) -> None:
    """End a run on a cluster at once; its running steps can't save anything more."""
    _act(run_name, "terminate", "terminated")


def suspend(run_name: RunArgument) -> None:
    """Start no more steps of a run on a cluster; those that run go on."""
    _act(run_name, "suspend", "suspended; lamflow resume goes on")


def resume(run_name: RunArgument) -> None:
    """Go on with a suspended run."""
    _act(run_name, "resume", "resumed")


def _act(run_name: str, verb: str, done: str) -> None:
    from lamflow.engine.engines import engine_of
    from lamflow.engine.records import find_run

    run = find_run(run_name, Path.cwd())
    print(f"run {run.name} " + (done if engine_of(run).act(run, verb) else "was not running"))


def download(
    run_name: RunArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to copy the result to.")],
) -> None:
    """Copy a run's result to a folder."""
    from lamflow.engine.engines import engine_of
    from lamflow.engine.records import find_run
    from lamflow.files import new_folder

    run = find_run(run_name, Path.cwd())
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(Problem(str(output), "", "exists and is not empty; name a new folder"))
    with new_folder(output) as folder:
        shutil.copytree(engine_of(run).fetch_result(run), folder, dirs_exist_ok=True)
    print(output)


def report(
    run_name: RunArgument,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Print where a run's report is."""
    from lamflow.engine.engines import engine_of
    from lamflow.engine.records import find_run

    run = find_run(run_name, Path.cwd())
    page = engine_of(run).fetch_result(run) / "report.html"
    if not page.exists():
        raise InputError(Problem(str(page), "", f"no report yet; lamflow status {run.name}"))
    print(page)
    if show:
        typer.launch(page.as_uri())
