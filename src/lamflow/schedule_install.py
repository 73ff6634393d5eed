"""What fires schedules on one machine: a systemd user timer, a line of crontab, or we ourselves."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from lamflow.errors import InputError, Problem, RunError
from lamflow.files import write_text
from lamflow.schedule import Schedule, load_schedules, next_firing

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LATEST = timedelta(hours=1)  # a firing that is later, after a sleep of the machine, is left out
_LOOK_S = 30.0  # so often changes of the schedules are looked for
_MARK = "# lamflow schedule "

Say = Callable[[str], None]


def fire_command(schedule: Schedule) -> list[str]:
    """Return the command that fires a schedule: it submits its file and keeps the history."""
    program = [sys.executable, "-m", "lamflow"]
    return [*program, "schedule", "run-now", schedule.name, "--unless-suspended"]


def systemd_units(schedule: Schedule) -> dict[str, str]:
    """Write a service and a timer for the user's systemd, by file name."""
    unit = _unit(schedule.name)
    environment = [
        f'Environment="{name}={os.environ[name]}"'
        for name in ("PATH", "XDG_CONFIG_HOME", "LAMFLOW_CONTEXT")
        if os.environ.get(name)
    ]
    service = [
        "[Unit]", f"Description=lamflow: {schedule.file}", "", "[Service]", "Type=oneshot",
        f"WorkingDirectory={schedule.folder}", *environment,
        f"ExecStart={shlex.join(fire_command(schedule))}",
    ]  # fmt: skip
    timer = [
        "[Unit]", f"Description=lamflow: {schedule.cron} ({schedule.timezone})", "", "[Timer]",
        *(f"OnCalendar={when}" for when in on_calendar(schedule.cron, schedule.timezone)),
        "Persistent=true", "", "[Install]", "WantedBy=timers.target",
    ]  # fmt: skip
    return {f"{unit}.service": _lines(service), f"{unit}.timer": _lines(timer)}


def on_calendar(cron: str, timezone: str) -> list[str]:
    """Translate five fields of cron into systemd's calendar events.

    If both days are given cron fires on either and systemd on days that are both: then there are
    two events.
    """
    minute, hour, day, month, weekday = cron.split()
    time = f"{_numbers(hour)}:{_numbers(minute)}:00 {timezone}"
    months, days = _numbers(month, 1), _numbers(day, 1)
    names = _weekdays(weekday)
    if names and days != "*":
        return [f"*-{months}-{days} {time}", f"{names} *-{months}-* {time}"]
    return [f"{names} *-{months}-{days} {time}".strip()]


def _numbers(field: str, first: int = 0) -> str:
    parts = []
    for part in field.split(","):
        span, slash, step = part.partition("/")
        if slash and span == "*":
            span = str(first)
        parts.append(span.replace("-", "..") + slash + step)
    return ",".join(parts)


def _weekdays(field: str) -> str:
    """Names of the days of week, empty for all of them."""
    if field == "*":
        return ""
    names = []
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, dash, high = ("0-6" if span == "*" else span).partition("-")
        numbers = range(_day(low), _day(high if dash else low) + 1, int(step or 1))
        names += [_DAYS[number] for number in numbers]
    return ",".join(dict.fromkeys(names))


def _day(text: str) -> int:
    names = [name.lower() for name in _DAYS]
    return int(text) if text.isdecimal() else names.index(text.lower())


def crontab_line(schedule: Schedule) -> str:
    """Write the line for crontab; cron knows the machine's own time zone only."""
    command = shlex.join(fire_command(schedule)).replace("%", "\\%")
    folder = shlex.quote(schedule.folder).replace("%", "\\%")
    return f"{schedule.cron} cd {folder} && {command}  {_MARK}{schedule.name}"


def install(schedule: Schedule, how: str) -> None:
    """Let systemd or cron fire a schedule.

    Raises
    ------
    InputError
        It is not there, or cron is to use another time zone than the machine's.
    RunError
        It refuses.
    """
    if how == "systemd":
        folder = _unit_folder()
        for name, text in systemd_units(schedule).items():
            write_text(folder / name, text)
        _systemctl("daemon-reload")
        _systemctl("enable", "--now", f"{_unit(schedule.name)}.timer")
        return
    _check_zone(schedule.timezone)
    lines = [line for line in _crontab() if not line.endswith(f"{_MARK}{schedule.name}")]
    _write_crontab([*lines, crontab_line(schedule)])


def uninstall(schedule: Schedule) -> None:
    """Take back what `install` did."""
    if schedule.installed == "systemd":
        unit = _unit(schedule.name)
        _systemctl("disable", "--now", f"{unit}.timer")
        for ending in ("timer", "service"):
            (_unit_folder() / f"{unit}.{ending}").unlink(missing_ok=True)
        _systemctl("daemon-reload")
    if schedule.installed == "crontab":
        mark = f"{_MARK}{schedule.name}"
        _write_crontab([line for line in _crontab() if not line.endswith(mark)])


def _unit(name: str) -> str:
    return f"lamflow-{name}"


def _unit_folder() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "systemd/user"


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


def _systemctl(*words: str) -> None:
    _run(["systemctl", "--user", *words])


def _crontab() -> list[str]:
    done = subprocess.run([_program("crontab"), "-l"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []  # 1: there is none yet


def _write_crontab(lines: Sequence[str]) -> None:
    _run(["crontab", "-"], _lines(lines))


def _run(words: Sequence[str], text: str | None = None) -> None:
    command = [_program(words[0]), *words[1:]]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise RunError(f"{shlex.join(words)} ended with {done.returncode}: {said}")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        what = f"there is no {name} here; leave --install out and use `lamflow schedule run`"
        raise InputError(Problem("--install", "", what))
    return found


def _check_zone(timezone: str) -> None:
    year = datetime.now(UTC).year
    for month in (1, 7):
        when = datetime(year, month, 1, tzinfo=UTC)
        if when.astimezone(ZoneInfo(timezone)).utcoffset() != when.astimezone().utcoffset():
            what = (
                f"cron has the machine's time zone and not {timezone}; install it in systemd, or "
                "give the time in the machine's zone"
            )
            raise InputError(Problem("--timezone", "", what))


class Scheduler:
    """Fires schedules in the foreground, each in a process of its own, until it is stopped.

    Parameters
    ----------
    names
        Which; none: all that nothing else fires.
    say
        Is told what happens.
    now
        The clock.
    """

    def __init__(
        self,
        names: Sequence[str],
        say: Say,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._names, self._say, self._now = names, say, now
        self._stop = threading.Event()
        self._at_work: dict[str, subprocess.Popen[bytes]] = {}
        self._since: dict[str, datetime] = {}

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; then what is at work is stopped, too, and can go on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        self._say(f"schedules: {', '.join(self._schedules()) or 'none yet'}")
        while not self._stop.is_set():
            wait = self.turn()
            self._stop.wait(wait)
        for name, process in self._at_work.items():
            if process.poll() is None:
                self._say(f"{name}: stopping")
                process.send_signal(signal.SIGINT)
        for process in self._at_work.values():
            process.wait()

    def turn(self) -> float:
        """Fire what is due; return the seconds until there is something to do."""
        now = self._now()
        waits = [_LOOK_S]
        for name, schedule in self._schedules().items():
            self._reap(name)
            due = next_firing(schedule, self._since.setdefault(name, now))
            if due > now:
                waits.append((due - now).total_seconds())
                continue
            self._since[name] = now
            if now - due > _LATEST:
                self._say(f"{name}: {due:%Y-%m-%d %H:%M %Z} was missed and is left out")
            elif name in self._at_work:
                self._say(f"{name}: the last firing is still at work; this one is left out")
            else:
                self._say(f"{name}: fires")
                self._at_work[name] = subprocess.Popen(
                    fire_command(schedule), cwd=schedule.folder, stdin=subprocess.DEVNULL
                )
        return max(0.1, min(waits))

    def _reap(self, name: str) -> None:
        process = self._at_work.get(name)
        if process is not None and process.poll() is not None:
            self._say(f"{name}: {'done' if process.returncode == 0 else 'failed'}")
            del self._at_work[name]

    def _schedules(self) -> dict[str, Schedule]:
        return {
            name: one
            for name, one in load_schedules().items()
            if not one.suspended and (name in self._names if self._names else not one.installed)
        }
