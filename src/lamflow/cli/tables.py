"""Tables for people to read in a terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lamflow.files import read_json

_SHOWN = 4
_COLUMNS = (
    ("energy RMSE", "energy_rmse_meV_per_atom"),
    ("force RMSE", "force_rmse_meV_per_A"),
    ("virial RMSE", "virial_rmse_meV_per_atom"),
)


def duration(seconds: float) -> str:
    """Write a time in its two largest units: 95 → 1m35s."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f}s" if seconds < 10 else f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def print_metrics(file: Path) -> None:
    """Print the error table of a run, model beside baseline; nothing if it has none."""
    from rich import box, print
    from rich.table import Table

    metrics = read_json(file)
    if not metrics.get("heads"):
        return
    table = Table(box=box.SIMPLE, title="held-out frames: model (baseline)", title_justify="left")
    table.add_column("head")
    table.add_column("frames", justify="right")
    for title, key in _COLUMNS:
        unit = "meV/Å" if key.endswith("per_A") else "meV/atom"
        table.add_column(f"{title}\n{unit}", justify="right")
    for name, head in metrics["heads"].items():
        table.add_row(name, str(head["frames"]), *_cells(head))
    table.add_row("weighted", "", *_cells(metrics["weighted"]), style="bold")
    print(table)


def _cells(head: Mapping[str, Any]) -> list[str]:
    pairs = [(head.get(key), head["baseline"].get(key)) for _, key in _COLUMNS]
    return ["–" if ours is None else f"{ours:.1f} ({theirs:.1f})" for ours, theirs in pairs]


def print_plan(kind: str, name: str, steps: Sequence[Mapping[str, Any]]) -> None:
    """Print the steps of a graph with what is done and what the rest may cost."""
    from rich import box, print
    from rich.table import Table

    table = Table(box=box.SIMPLE, title=f"{kind} {name}", title_justify="left")
    for column in ("step", "operator", "needs", "state", "about"):
        table.add_column(column, overflow="fold")
    for step in steps:
        about = "" if step["done"] else _about(step["seconds"])
        state = "done" if step["done"] else "to do"
        table.add_row(step["name"], step["operator"], _few(step["needs"]), state, about)
    print(table)
    known = [step["seconds"] for step in steps if not step["done"] and step["seconds"] is not None]
    todo = sum(not step["done"] for step in steps)
    print(f"{todo} of {len(steps)} steps to do; those known take about {duration(sum(known))}")


def _few(names: Sequence[str]) -> str:
    more = f", … ({len(names) - _SHOWN} more)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _about(seconds: float | None) -> str:
    return "unknown: not run here before" if seconds is None else duration(seconds)
