"""Schedules on this machine: what is to be submitted when, and what came of it.

    $XDG_CONFIG_HOME/lamflow/schedules.json            all schedules
    $XDG_CONFIG_HOME/lamflow/schedule-history/NAME.jsonl    a line for each firing

systemd, cron and `lamflow schedule run` all fire a schedule in the same way: `fire`.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from lamflow.config.base import StrictModel
from lamflow.config.document import suggest
from lamflow.context import contexts_file
from lamflow.errors import InputError, Problem, RunError
from lamflow.files import read_json, write_json

_FIELDS = 5
_KEPT = 1000  # lines of a history


class Schedule(StrictModel):
    """One workflow file and when it is submitted."""

    name: str
    """Name of the run."""
    file: str
    """The workflow's YAML file, absolute."""
    folder: str
    """Folder to submit from: lamflow-runs/ is there."""
    cron: str
    """Minute, hour, day of month, month, day of week."""
    timezone: str
    """Name in the IANA database."""
    overrides: tuple[str, ...] = ()
    """Changes of the file: KEY=VALUE."""
    suspended: bool = False
    """Whether it rests."""
    installed: Literal["", "systemd", "crontab"] = ""
    """What fires it; empty: `lamflow schedule run`, or nobody."""


class Firing(StrictModel):
    """One line of a history."""

    started: str
    """UTC."""
    finished: str
    """UTC."""
    status: str
    """succeeded, failed, or skipped: the last one was still going on."""
    exit_code: int | None = None
    """Of `lamflow submit`."""
    said: str = ""
    """Its last line."""


def check_timing(cron: str, timezone: str) -> None:
    """Refuse what is no time.

    Raises
    ------
    InputError
        Not five fields that cron knows, or no such time zone.
    """
    from cronsim import CronSim, CronSimError

    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        what = f"{timezone!r} is no time zone; write it as Europe/Berlin or UTC"
        raise InputError(Problem("--timezone", "", what)) from None
    what = "minute hour day-of-month month day-of-week, such as '0 3 * * *'"
    if len(cron.split()) != _FIELDS:
        raise InputError(Problem("--cron", "", f"{cron!r} has not five fields: {what}"))
    try:
        next(CronSim(cron, datetime.now(zone)))
    except (CronSimError, StopIteration) as error:
        raise InputError(
            Problem("--cron", "", f"{cron!r}: {error or 'never comes'}; write {what}")
        ) from None


def next_firing(schedule: Schedule, after: datetime) -> datetime:
    """Return the first time after `after` (with a time zone) at which a schedule fires."""
    from cronsim import CronSim

    return next(CronSim(schedule.cron, after.astimezone(ZoneInfo(schedule.timezone))))


def schedules_file() -> Path:
    """Return the file of the schedules, beside that of the contexts."""
    return contexts_file().with_name("schedules.json")


def load_schedules() -> dict[str, Schedule]:
    """Read all schedules.

    Raises
    ------
    InputError
        The file is damaged.
    """
    file = schedules_file()
    try:
        return {name: Schedule.model_validate(one) for name, one in read_json(file).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, ValidationError, AttributeError) as error:
        what = f"is no list of schedules; mend or remove it ({error})"
        raise InputError(Problem(str(file), "", what)) from None


def find_schedule(name: str) -> Schedule:
    """Return one; InputError with those that there are if there is none."""
    known = load_schedules()
    if name not in known:
        there = ", ".join(known) or "none"
        what = f"no such schedule{suggest(name, list(known))}; there are: {there}"
        raise InputError(Problem(name, "", what))
    return known[name]


def add_schedule(schedule: Schedule, *, replaces: bool = False) -> None:
    """Keep a schedule; InputError if there is one of its name and `replaces` is not set."""
    with _changing() as known:
        if schedule.name in known and not replaces:
            what = "there is a schedule of this name; --replace puts this one in its place"
            raise InputError(Problem(schedule.name, "", what))
        known[schedule.name] = schedule


def change_schedule(name: str, **changes: Any) -> Schedule:
    """Change some fields of a schedule."""
    find_schedule(name)
    with _changing() as known:
        known[name] = known[name].model_copy(update=changes)
        return known[name]


def remove_schedule(name: str) -> Schedule:
    """Forget a schedule; its history stays."""
    found = find_schedule(name)
    with _changing() as known:
        del known[name]
    return found


@contextmanager
def _changing() -> Iterator[dict[str, Schedule]]:
    from filelock import FileLock

    file = schedules_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        known = load_schedules()
        yield known
        write_json(file, {name: one.model_dump(mode="json") for name, one in known.items()})


def fire(schedule: Schedule) -> Firing:
    """Submit the workflow and wait for its end; what came of it goes into the history.

    A firing that falls into another one is left out.
    """
    from filelock import FileLock, Timeout

    history = _history_file(schedule.name)
    history.parent.mkdir(parents=True, exist_ok=True)
    started = _now()
    try:
        with FileLock(history.with_suffix(".lock"), timeout=0):
            firing = _submit(schedule, started)
    except Timeout:
        firing = Firing(started=started, finished=_now(), status="skipped",
                        said="the last firing is still at work")  # fmt: skip
    _append(history, firing)
    return firing


def _submit(schedule: Schedule, started: str) -> Firing:
    changes = [word for change in schedule.overrides for word in ("--set", change)]
    words = ["submit", schedule.file, "--name", schedule.name, "--json", *changes]
    folder = Path(schedule.folder)
    if not folder.is_dir():
        raise RunError(f"schedule {schedule.name}: there is no folder {folder} any more")
    done = subprocess.run(
        [sys.executable, "-m", "lamflow", *words],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = (done.stderr or done.stdout).strip().splitlines()
    return Firing(
        started=started, finished=_now(), status="failed" if done.returncode else "succeeded",
        exit_code=done.returncode, said=lines[-1] if lines else "",
    )  # fmt: skip


def history_of(name: str) -> list[Firing]:
    """Return the firings of a schedule, the newest first."""
    file = _history_file(name)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [Firing.model_validate_json(line) for line in reversed(lines) if line]


def _append(history: Path, firing: Firing) -> None:
    from filelock import FileLock

    with FileLock(history.with_suffix(".write-lock")):
        lines = history.read_text(encoding="utf-8").splitlines() if history.exists() else []
        lines = [*lines[-_KEPT:], json.dumps(firing.model_dump(mode="json"), ensure_ascii=False)]
        history.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _history_file(name: str) -> Path:
    return contexts_file().with_name("schedule-history") / f"{name}.jsonl"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
