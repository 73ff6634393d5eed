"""One live view of a run: steps, progress, loss, time left."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lamflow.cli.tables import duration

if TYPE_CHECKING:
    from rich.table import Table

Status = Callable[[], dict[str, Any]]
_EVERY_S = 0.5
_LINE_EVERY_S = 30.0
_MARKS = {
    "pending": "[dim]◦[/]", "running": "[cyan]▸[/]", "succeeded": "[green]✓[/]",
    "failed": "[red]✗[/]", "stopped": "[yellow]■[/]", "interrupted": "[yellow]■[/]",
}  # fmt: skip


def follow(status: Status, until: Callable[[], bool], *, quiet: bool = False) -> None:
    """Show a run's status until `until` is true; lines instead of a view without a terminal."""
    if quiet:
        while not until():
            time.sleep(0.1)
    elif sys.stdout.isatty():
        _follow_live(status, until)
    else:
        _follow_lines(status, until)


def _follow_live(status: Status, until: Callable[[], bool]) -> None:
    from rich.live import Live

    with Live(_view(status()), refresh_per_second=4, transient=False) as live:
        while not until():
            time.sleep(_EVERY_S)
            live.update(_view(status()))
        live.update(_view(status()))


def _follow_lines(status: Status, until: Callable[[], bool]) -> None:
    seen: dict[str, str] = {}
    last = time.monotonic()
    over = False
    while not over:
        over = until()
        steps = status()["steps"]
        for step in steps:
            if seen.get(step["name"]) != step["phase"] and step["phase"] != "pending":
                seen[step["name"]] = step["phase"]
                print(_line(step), flush=True)
        if time.monotonic() - last > _LINE_EVERY_S:
            last = time.monotonic()
            for step in steps:
                if step["progress"]:
                    print(_line(step), flush=True)
        if not over:
            time.sleep(_EVERY_S)


def _line(step: dict[str, Any]) -> str:
    phase = "done already" if step["cached"] else step["phase"]
    return f"{step['name']:<24} {phase:<12} {_progress_text(step)}".rstrip()


def _view(status: dict[str, Any]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title_justify="left")
    table.title = f"{status['kind']} {status['run']}: {status['status']}"
    for column in ("", "step", "time", ""):
        table.add_column(column, no_wrap=column != "")
    for step in status["steps"]:
        mark = "[dim]✓[/]" if step["cached"] else _MARKS.get(step["phase"], "?")
        seconds = "" if step["seconds"] is None else duration(step["seconds"])
        table.add_row(mark, step["name"], seconds, _progress_text(step))
    return table


def _progress_text(step: dict[str, Any]) -> str:
    """Say how far a step is: share, time left, its newest numbers; or its error."""
    if step["phase"] == "failed":
        return (step["error"] or "").partition("\n")[0]
    if step["phase"] == "succeeded":
        return "" if step["cached"] else _numbers(step["numbers"])
    progress = step["progress"]
    if not progress:
        return ""
    share = progress["done"] / max(progress["total"], 1e-12)
    parts = [f"{share:4.0%}"]
    if 0 < share < 1:
        spent = progress["now"] - progress["since"]
        parts.append(f"{duration(spent * (1 - share) / share)} left")
    return "  ".join([*parts, _numbers(progress["values"])])


def _numbers(values: dict[str, Any], most: int = 4) -> str:
    shown = [(k, v) for k, v in values.items() if v is not None][:most]
    return "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in shown)


def print_status(status: dict[str, Any]) -> None:
    """Print the view once."""
    from rich import print

    print(_view(status))
    if status.get("link"):
        print(f"on the cluster: {status['link']}")
    if status["error"]:
        print(f"[red]{status['error']}[/]")
    if status["result"]:
        print(f"result: {status['result']}")
