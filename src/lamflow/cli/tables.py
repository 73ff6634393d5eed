"""Tables for people to read in a terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lamflow.files import read_json

if TYPE_CHECKING:
    from rich.table import Table

    from lamflow.report.tables import OtherRow
    from lamflow.train.presets import Preset

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

    from lamflow.report.tables import other_rows

    metrics = read_json(file)
    if not metrics.get("heads"):
        return
    table = Table(box=box.SIMPLE, title="held-out frames: model (baseline)", title_justify="left")
    table.add_column("head")
    table.add_column("frames", justify="right")
    for title, key in _COLUMNS:
        unit = "meV/Å" if key.endswith("per_A") else "meV/atom"
        table.add_column(f"{title}\n{unit}", justify="right")
    others = other_rows(metrics)
    only_other = {row.head for row in others if row.task != "spin"}
    for name, head in metrics["heads"].items():
        if name not in only_other:
            table.add_row(name, str(head["frames"]), *_cells(head))
    table.add_row("weighted", "", *_cells(metrics["weighted"]), style="bold")
    print(table)
    if others:
        print(_other_table(others))


def _other_table(rows: "Sequence[OtherRow]") -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, title="heads of other tasks", title_justify="left")
    for column in ("head", "task", "frames", "error", "model", "baseline"):
        table.add_column(column, justify="left" if column in ("head", "task", "error") else "right")
    for row in rows:
        table.add_row(row.head, row.task, row.frames, row.quantity, row.model, row.baseline)
    return table


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


def print_presets(presets: "Sequence[Preset]") -> None:
    """Print the model presets, the cheapest first."""
    from rich import box, print
    from rich.table import Table

    caption = "cost: CPU time of a training step on 32 atoms, dpa1-tiny = 1; sources: --json"
    table = Table(box=box.SIMPLE, caption=caption, caption_justify="left")
    table.add_column("preset", no_wrap=True)
    for column in ("parameters", "cutoff\nÅ", "cost"):
        table.add_column(column, justify="right")
    for column in ("compress", "LAMMPS"):
        table.add_column(column, justify="center")
    for preset in sorted(presets, key=lambda one: (one.relative_cost or 0, one.name)):
        cost = "–" if preset.relative_cost is None else f"{preset.relative_cost:g}"
        table.add_row(
            preset.name, f"{preset.parameters:,}", f"{preset.cutoff_A:g}", cost,
            _mark(preset.compressible), _mark(preset.lammps),
        )  # fmt: skip
    print(table)


def _mark(yes: bool) -> str:
    return "✓" if yes else "✗"
