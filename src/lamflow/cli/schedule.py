"""Commands about schedules: on a cluster by Argo, on one machine by systemd, cron or lamflow."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamflow.cli.submit import AsJson, ConfigFile, EngineName, Overrides, load_checked
from lamflow.errors import InputError, Problem

if TYPE_CHECKING:
    from lamflow.engine.cron import ArgoSchedules

app = typer.Typer(help="Submit a workflow at certain times.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the schedule.")]
Engine = Annotated[EngineName, typer.Option("--engine", help="Where it is.")]
ContextOption = Annotated[
    str | None, typer.Option("--context", metavar="NAME", help="Cluster; see lamflow context.")
]
_WIDTH = 12


class Installer(StrEnum):
    """What fires a schedule on one machine."""

    systemd = "systemd"
    crontab = "crontab"


def _argo(engine: EngineName, context: str | None) -> "ArgoSchedules | None":
    """Return the cluster's schedules if it is about them; a context means its cluster."""
    if engine is EngineName.local and context is None:
        return None
    from lamflow.engine.cron import ArgoSchedules

    return ArgoSchedules(context)


@app.command()
def create(
    file: ConfigFile,
    cron: Annotated[str, typer.Option("--cron", help="Five fields, such as '0 3 * * *'.")],
    timezone: Annotated[str, typer.Option(help="Such as Europe/Berlin.")] = "UTC",
    engine: Engine = EngineName.local,
    context: ContextOption = None,
    install: Annotated[
        Installer | None, typer.Option(help="On this machine: let this fire it.")
    ] = None,
    overrides: Overrides = None,
    replace: Annotated[bool, typer.Option(help="Replace one of that name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a workflow on a schedule; its name is that of the run."""
    from lamflow.schedule import check_timing

    check_timing(cron, timezone)
    loaded = load_checked(file, overrides)
    cluster = _argo(engine, context)
    if cluster is None:
        _create_here(file, cron, timezone, install, overrides or [], replace, loaded, as_json)
        return
    if install is not None:
        raise InputError(Problem("--install", "", "is for this machine; a cluster has Argo"))
    from lamflow.engine.cron import Timing
    from lamflow.workflows.kinds import build_graph

    graph = build_graph(loaded.config, cluster=True, standing=True)
    config = loaded.config.model_dump(mode="json")
    made = cluster.create(graph, config, Timing(cron, timezone), replaces=replace)
    name = made["metadata"]["name"]
    if as_json:
        print(json.dumps({"schedule": name, "engine": "argo", "context": cluster.name}))
    else:
        print(f"{name}: {cron} ({timezone}) in context {cluster.name}")


def _create_here(
    file: Path,
    cron: str,
    timezone: str,
    installer: Installer | None,
    overrides: Sequence[str],
    replaces: bool,
    loaded: Any,
    as_json: bool,
) -> None:
    from lamflow import schedule_install
    from lamflow.schedule import Schedule, add_schedule, load_schedules

    how = installer.value if installer else ""
    one = Schedule(
        name=loaded.config.name, file=str(file.resolve()), folder=str(Path.cwd()), cron=cron,
        timezone=timezone, overrides=tuple(overrides), installed=how,
    )  # fmt: skip
    old = load_schedules().get(one.name)
    if old is not None and replaces:
        schedule_install.uninstall(old)
    add_schedule(one, replaces=replaces)
    if how:
        try:
            schedule_install.install(one, how)
        except BaseException:
            from lamflow.schedule import remove_schedule

            remove_schedule(one.name)
            raise
    if as_json:
        print(json.dumps({"schedule": one.name, "engine": "local", "installed": how}))
        return
    print(f"{one.name}: {cron} ({timezone}); lamflow schedule show {one.name}")
    if how:
        print(f"{how} fires it")
        return
    print("\nNothing fires it yet. In the foreground, as in a container:\n\n  lamflow schedule run")
    for name, text in schedule_install.systemd_units(one).items():
        print(f"\n~/.config/systemd/user/{name}  (--install systemd writes it)\n\n{text.rstrip()}")
    print(f"\ncrontab  (--install crontab adds it)\n\n{schedule_install.crontab_line(one)}")


@app.command("list")
def list_schedules(
    engine: Engine = EngineName.local, context: ContextOption = None, as_json: AsJson = False
) -> None:
    """List the schedules of this machine or of a cluster."""
    cluster = _argo(engine, context)
    if cluster is not None:
        rows = cluster.list_all()
    else:
        from lamflow.schedule import load_schedules

        rows = [_brief(one.name) for one in load_schedules().values()]
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        state = "suspended" if row["suspended"] else ""
        print(f"{row['name']:<28} {row['cron']:<18} {row['timezone']:<18} {state}".rstrip())
    if not rows:
        print('none; lamflow schedule create FILE --cron "0 3 * * *"')


def _brief(name: str) -> dict[str, Any]:
    """Describe a schedule of this machine."""
    from datetime import UTC, datetime

    from lamflow.schedule import find_schedule, history_of, next_firing

    one = find_schedule(name)
    past = history_of(name)
    coming = None if one.suspended else next_firing(one, datetime.now(UTC)).isoformat()
    return {
        **one.model_dump(mode="json"), "next": coming, "last": past[0].started if past else "",
    }  # fmt: skip


@app.command()
def show(
    name: Name, engine: Engine = EngineName.local, context: ContextOption = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show one schedule."""
    cluster = _argo(engine, context)
    _tell(cluster.show(name) if cluster is not None else _brief(name), as_json=as_json)


def _tell(facts: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
        return
    from lamflow.report.text import plain

    for key, value in facts.items():
        print(f"{key:<{_WIDTH}} {plain(value)}")


@app.command()
def suspend(name: Name, engine: Engine = EngineName.local, context: ContextOption = None) -> None:
    """Let a schedule rest; what it has started goes on."""
    _rest(name, engine, context, suspended=True)


@app.command()
def resume(name: Name, engine: Engine = EngineName.local, context: ContextOption = None) -> None:
    """Let a schedule fire again."""
    _rest(name, engine, context, suspended=False)


def _rest(name: str, engine: EngineName, context: str | None, *, suspended: bool) -> None:
    cluster = _argo(engine, context)
    if cluster is not None:
        cluster.suspend(name, suspended=suspended)
    else:
        from lamflow.schedule import change_schedule

        change_schedule(name, suspended=suspended)
    print(f"{name}: {'suspended' if suspended else 'fires again'}")


@app.command()
def delete(name: Name, engine: Engine = EngineName.local, context: ContextOption = None) -> None:
    """Remove a schedule; what it has started goes on."""
    cluster = _argo(engine, context)
    if cluster is not None:
        cluster.delete(name)
    else:
        from lamflow.schedule import find_schedule, remove_schedule
        from lamflow.schedule_install import uninstall

        uninstall(find_schedule(name))
        remove_schedule(name)
    print(f"{name}: deleted")


@app.command("run-now")
def run_now(
    name: Name,
    engine: Engine = EngineName.local,
    context: ContextOption = None,
    unless_suspended: Annotated[
        bool, typer.Option("--unless-suspended", help="Do nothing if it rests.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Fire a schedule now, beside its times; ends with 3 if the run failed."""
    cluster = _argo(engine, context)
    if cluster is not None:
        workflow = cluster.run_now(name)
        print(json.dumps({"workflow": workflow}) if as_json else cluster.api.link(workflow))
        return 0
    from lamflow.schedule import find_schedule, fire

    one = find_schedule(name)
    if one.suspended and unless_suspended:
        print(json.dumps({"status": "suspended"}) if as_json else f"{name}: suspended")
        return 0
    firing = fire(one)
    if as_json:
        print(json.dumps(firing.model_dump(mode="json")))
    else:
        print(f"{name}: {firing.status}  {firing.said}".rstrip())
    return 3 if firing.status == "failed" else 0


@app.command()
def history(
    name: Name, engine: Engine = EngineName.local, context: ContextOption = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """List what a schedule has started, the newest first."""
    cluster = _argo(engine, context)
    if cluster is not None:
        rows = cluster.history(name)
    else:
        from lamflow.schedule import find_schedule, history_of

        find_schedule(name)
        rows = [one.model_dump(mode="json") for one in history_of(name)]
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        more = row.get("workflow") or row.get("said") or ""
        print(f"{row['started']:<22} {row['finished']:<22} {row['status']:<10} {more}".rstrip())
    if not rows:
        print("it has not fired yet")


@app.command()
def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Default: all that nothing else fires."),
    ] = None,
) -> None:
    """Stay in the foreground and fire the schedules of this machine; for containers."""
    from datetime import datetime

    from lamflow.schedule import find_schedule
    from lamflow.schedule_install import Scheduler

    for name in names or []:
        find_schedule(name)

    def say(words: str) -> None:
        print(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %Z}  {words}", flush=True)

    Scheduler(names or [], say).run()
