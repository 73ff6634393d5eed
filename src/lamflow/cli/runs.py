"""Commands about runs that exist: runs, status, watch, logs, stop, download, report."""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from lamflow.errors import InputError, Problem

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Name of the run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]


def runs(as_json: AsJson = False) -> None:
    """List the runs below ./lamflow-runs, newest first."""
    from lamflow.engine.records import list_runs, run_status

    found = [run_status(run) for run in list_runs(Path.cwd())]
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
        print(f"{run['run']:<24} {run['kind']:<10} {run['status']:<12} {steps:<12} {when}")


def status(run_name: RunArgument, as_json: AsJson = False) -> None:
    """Tell how a run and its steps are doing."""
    from lamflow.cli.live import print_status
    from lamflow.engine.records import find_run, run_status

    state = run_status(find_run(run_name, Path.cwd()))
    if as_json:
        print(json.dumps(state))
    else:
        print_status(state)


def watch(run_name: RunArgument) -> int:
    """Follow a run until it ends; Ctrl-C leaves it alone."""
    from lamflow.cli.live import follow
    from lamflow.engine.records import find_run, is_locked, run_status
    from lamflow.engine.state import SUCCEEDED

    run = find_run(run_name, Path.cwd())
    try:
        follow(run, until=lambda: not is_locked(run))
    except KeyboardInterrupt:
        print("\nthe run goes on")
        return 0
    return 0 if run_status(run)["status"] == SUCCEEDED else 3


def logs(
    run_name: RunArgument,
    step: Annotated[str | None, typer.Argument(metavar="[STEP]", help="One step only.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
) -> None:
    """Print the logs of a run's steps, or of one step."""
    from lamflow.engine.records import find_run, is_locked

    run = find_run(run_name, Path.cwd())
    steps = {item["name"]: run.step(item["key"]) for item in run.read()["steps"]}
    if step is not None and step not in steps:
        raise InputError(Problem(run.name, step, f"no such step; steps: {', '.join(steps)}"))
    chosen = {step: steps[step]} if step else steps
    offsets = dict.fromkeys(chosen, 0)
    while True:
        going = follow and is_locked(run)
        for name, folder in chosen.items():
            offsets[name] = _print_log(name, folder / "log.txt", offsets[name], many=step is None)
        if not going:
            return
        time.sleep(0.5)


def _print_log(name: str, file: Path, offset: int, *, many: bool) -> int:
    if not file.exists():
        return offset
    with file.open("rb") as log:
        log.seek(offset)
        text = log.read()
    if text and many:
        print(f"──── {name}")
    sys.stdout.write(text.decode("utf-8", "replace"))
    sys.stdout.flush()
    return offset + len(text)


def stop(run_name: RunArgument) -> None:
    """End a run; its finished steps and checkpoints stay, `lamflow retry` goes on."""
    from lamflow.engine.local import stop_run
    from lamflow.engine.records import find_run

    run = find_run(run_name, Path.cwd())
    print(f"run {run.name} " + ("stopped" if stop_run(run) else "was not running"))


def download(
    run_name: RunArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to copy the result to.")],
) -> None:
    """Copy a run's result to a folder."""
    from lamflow.engine.records import find_run
    from lamflow.files import new_folder

    run = find_run(run_name, Path.cwd())
    if not run.result.is_dir():
        raise InputError(Problem(str(run.path), "", f"no result yet; lamflow status {run.name}"))
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(Problem(str(output), "", "exists and is not empty; name a new folder"))
    with new_folder(output) as folder:
        shutil.copytree(run.result, folder, dirs_exist_ok=True)
    print(output)


def report(
    run_name: RunArgument,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Print where a run's report is."""
    from lamflow.engine.records import find_run

    run = find_run(run_name, Path.cwd())
    page = run.result / "report.html"
    if not page.exists():
        raise InputError(Problem(str(page), "", f"no report yet; lamflow status {run.name}"))
    print(page)
    if show:
        typer.launch(page.as_uri())
