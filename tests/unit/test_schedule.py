"""Schedules on one machine."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lamflow import schedule_install
from lamflow.cli import main as command
from lamflow.errors import InputError
from lamflow.schedule import (
    Schedule,
    add_schedule,
    change_schedule,
    check_timing,
    find_schedule,
    fire,
    history_of,
    load_schedules,
    next_firing,
    remove_schedule,
    schedules_file,
)
from lamflow.schedule_install import Scheduler, crontab_line, on_calendar, systemd_units

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def schedule(folder: Path, cron: str = "0 3 * * *", name: str = "nightly") -> Schedule:
    return Schedule(
        name=name, file=str(folder / "update.yaml"), folder=str(folder), cron=cron,
        timezone="Europe/Berlin",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("cron", "timezone", "message"),
    [
        ("0 3 * *", "UTC", "has not five fields"),
        ("0 25 * * *", "UTC", "--cron"),
        ("x 3 * * *", "UTC", "--cron"),
        ("0 3 30 2 *", "UTC", "--cron"),
        ("0 3 * * *", "Europe/Berln", "is no time zone"),
        ("0 3 * * *", "/etc/passwd", "is no time zone"),
    ],
)
def test_what_is_no_time_is_refused(cron: str, timezone: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_timing(cron, timezone)


def test_the_hour_is_that_of_the_time_zone(tmp_path: Path) -> None:
    """3 o'clock in Berlin is 2 in winter and 1 in summer by UTC."""
    one = schedule(tmp_path)
    winter = next_firing(one, datetime(2026, 1, 10, tzinfo=UTC))
    summer = next_firing(one, datetime(2026, 7, 10, tzinfo=UTC))
    assert winter.astimezone(UTC) == datetime(2026, 1, 10, 2, tzinfo=UTC)
    assert summer.astimezone(UTC) == datetime(2026, 7, 10, 1, tzinfo=UTC)


def test_schedules_are_kept(tmp_path: Path) -> None:
    one = schedule(tmp_path)
    add_schedule(one)
    with pytest.raises(InputError, match="there is a schedule of this name"):
        add_schedule(one)
    add_schedule(one.model_copy(update={"cron": "0 4 * * *"}), replaces=True)
    assert find_schedule("nightly").cron == "0 4 * * *"
    assert change_schedule("nightly", suspended=True).suspended
    with pytest.raises(InputError, match="did you mean 'nightly'"):
        find_schedule("nightli")
    remove_schedule("nightly")
    assert load_schedules() == {}
    schedules_file().write_text("[1]")
    with pytest.raises(InputError, match="is no list of schedules"):
        load_schedules()


CALENDAR = {
    "0 3 * * *": ["*-*-* 3:0:00 UTC"],
    "*/15 * * * *": ["*-*-* *:0/15:00 UTC"],
    "5,35 8-18 * * 1-5": ["Mon,Tue,Wed,Thu,Fri *-*-* 8..18:5,35:00 UTC"],
    "0 0 1 */3 *": ["*-1/3-1 0:0:00 UTC"],
    "0 0 13 * 5": ["*-*-13 0:0:00 UTC", "Fri *-*-* 0:0:00 UTC"],
    "0 6 * * sun": ["Sun *-*-* 6:0:00 UTC"],
}


@pytest.mark.parametrize("cron", CALENDAR)
def test_systemd_means_the_same_times(cron: str) -> None:
    assert on_calendar(cron, "UTC") == CALENDAR[cron]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
@pytest.mark.parametrize("cron", CALENDAR)
def test_systemd_computes_the_same_next_time(cron: str, tmp_path: Path) -> None:
    events = on_calendar(cron, "Europe/Berlin")
    done = subprocess.run(
        ["systemd-analyze", "calendar", "--base-time", "2026-03-28 22:17:00 UTC", *events],
        capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    lines = [line.split(":", 1)[1].strip() for line in done.stdout.splitlines()
             if "Next elapse:" in line]  # fmt: skip
    elapse = min(datetime.strptime(line, "%a %Y-%m-%d %H:%M:%S %Z") for line in lines)
    expected = next_firing(schedule(tmp_path, cron), datetime(2026, 3, 28, 22, 17, tzinfo=UTC))
    assert elapse.replace(tzinfo=UTC) == expected.astimezone(UTC)


def test_units_and_crontab_fire_by_name(tmp_path: Path) -> None:
    one = schedule(tmp_path)
    units = systemd_units(one)
    assert set(units) == {"lamflow-nightly.service", "lamflow-nightly.timer"}
    assert "schedule run-now nightly --unless-suspended" in units["lamflow-nightly.service"]
    assert f"WorkingDirectory={tmp_path}" in units["lamflow-nightly.service"]
    assert "OnCalendar=*-*-* 3:0:00 Europe/Berlin" in units["lamflow-nightly.timer"]
    assert crontab_line(one).startswith(f"0 3 * * * cd {tmp_path} && {sys.executable} -m lamflow")


def test_crontab_is_edited_and_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a crontab of our own: other lines stay as they are."""
    table = tmp_path / "table"
    table.write_text("1 1 * * * mine\n")
    program = tmp_path / "crontab"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = -l ]; then cat {table}; else cat > {table}.new && '
        f"mv {table}.new {table}; fi\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    one = schedule(tmp_path).model_copy(update={"timezone": "UTC", "installed": "crontab"})
    monkeypatch.setenv("TZ", "UTC")
    for _ in range(2):
        schedule_install.install(one, "crontab")
    assert table.read_text() == f"1 1 * * * mine\n{crontab_line(one)}\n"
    schedule_install.uninstall(one)
    assert table.read_text() == "1 1 * * * mine\n"
    with pytest.raises(InputError, match="cron has the machine's time zone and not Asia/Tokyo"):
        schedule_install.install(one.model_copy(update={"timezone": "Asia/Tokyo"}), "crontab")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 10, 1, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


def test_the_scheduler_fires_once_at_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_schedule(schedule(tmp_path))
    add_schedule(schedule(tmp_path, name="resting").model_copy(update={"suspended": True}))
    sign = tmp_path / "fired"
    script = f"import time, pathlib; pathlib.Path({str(sign)!r}).touch(); time.sleep(0.5)"
    monkeypatch.setattr(
        schedule_install, "fire_command", lambda one: [sys.executable, "-c", script]
    )
    said: list[str] = []
    clock = Clock()
    scheduler = Scheduler([], said.append, clock)
    assert scheduler.turn() <= 30.0
    assert said == []
    clock.time += HOUR
    scheduler.turn()
    scheduler.turn()
    assert said == ["nightly: fires"]
    clock.time += 24 * HOUR  # the next night, and the process is still there
    scheduler.turn()
    assert said[-1].endswith("this one is left out")
    while "nightly: done" not in said:
        scheduler.turn()
    assert sign.exists()
    clock.time += 30 * HOUR  # the machine slept over the time
    scheduler.turn()
    assert "was missed and is left out" in said[-1]


def run(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["lamflow", *arguments])
    with pytest.raises(SystemExit) as ended:
        command.main()
    return int(ended.value.code or 0)


def test_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("update.yaml").write_text(
        "kind: update\nname: nightly\nregistry: registry\nmodel: open/tiny\ntrain: {steps: 2}\n"
    )
    create = ["schedule", "create", "update.yaml", "--cron", "0 3 * * *"]
    assert run([*create, "--timezone", "Europe/Berlin"], monkeypatch) == 0
    out = capsys.readouterr().out
    assert "OnCalendar=*-*-* 3:0:00 Europe/Berlin" in out
    assert "lamflow schedule run" in out
    assert run(create, monkeypatch) == 2
    assert run(["schedule", "list"], monkeypatch) == 0
    assert "nightly" in capsys.readouterr().out
    assert run(["schedule", "suspend", "nightly"], monkeypatch) == 0
    assert run(["schedule", "run-now", "nightly", "--unless-suspended"], monkeypatch) == 0
    assert history_of("nightly") == []
    assert run(["schedule", "resume", "nightly"], monkeypatch) == 0
    assert run(["schedule", "show", "nightly", "--json"], monkeypatch) == 0
    assert run(["schedule", "delete", "nightly"], monkeypatch) == 0
    assert run(["schedule", "show", "nightly"], monkeypatch) == 2


def test_a_firing_submits_and_is_recorded(tmp_path: Path) -> None:
    """A file that is wrong: the run fails, with its reason in the history."""
    (tmp_path / "update.yaml").write_text("kind: update\nname: nightly\n")
    add_schedule(schedule(tmp_path))
    firing = fire(find_schedule("nightly"))
    assert (firing.status, firing.exit_code) == ("failed", 2)
    assert "train" in firing.said or "is missing" in firing.said
    assert history_of("nightly") == [firing]
