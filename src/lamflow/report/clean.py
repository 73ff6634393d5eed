"""Collect and render the report of a cleaning run."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamflow.files import read_json
from lamflow.report import dag_svg
from lamflow.report.html import render
from lamflow.report.model import StepRecord

_COUNTS = ("frames_in", "kept", "repaired", "quarantined")
_EXAMPLES = 3


@dataclass(frozen=True)
class CleanReport:
    """What a cleaning run has found and done.

    Attributes
    ----------
    name, status, config_yaml
        The run and its configuration.
    summaries
        summary.json of each dataset's quarantine.
    lines
        All findings as JSON lines, with the dataset's name.
    flags
        Rejected frames by system; the dataset's name comes first if there are several.
    cards
        Card of the training part of each dataset.
    steps
        Records of the steps.
    """

    name: str
    status: str
    config_yaml: str
    summaries: Mapping[str, Mapping[str, Any]]
    lines: Sequence[str]
    flags: Mapping[str, list[int] | str]
    cards: Mapping[str, Mapping[str, Any]]
    steps: Sequence[StepRecord]

    @property
    def totals(self) -> dict[str, int]:
        """Frames in, kept, repaired and quarantined over all datasets."""
        return {key: sum(int(s[key]) for s in self.summaries.values()) for key in _COUNTS}

    def card(self) -> dict[str, Any]:
        """Describe the run as plain data."""
        return {
            "kind": "clean", "name": self.name, **self.totals,
            "datasets": {
                name: {**{key: summary[key] for key in _COUNTS}, "by_code": summary["by_code"],
                       "train_sha256": self.cards[name]["sha256"]}
                for name, summary in self.summaries.items()
            },
        }  # fmt: skip


def collect_clean(
    *,
    name: str,
    config_yaml: str,
    quarantines: Mapping[str, Path],
    parts: Mapping[str, Path],
    steps: Mapping[str, Path],
) -> CleanReport:
    """Read the products of a run.

    Parameters
    ----------
    name, config_yaml
        The run and its configuration.
    quarantines
        Quarantine folder of each dataset.
    parts
        Folder with train/ ... of each dataset.
    steps
        Records of the steps.
    """
    several = len(quarantines) > 1
    lines: list[str] = []
    flags: dict[str, list[int] | str] = {}
    for dataset, folder in quarantines.items():
        for system, frames in read_json(folder / "flags.json").items():
            flags[f"{dataset}/{system}" if several else system] = frames
        for line in (folder / "flags.jsonl").read_text(encoding="utf-8").splitlines():
            finding = {"dataset": dataset, **json.loads(line)}
            lines.append(json.dumps(finding, ensure_ascii=False) + "\n")
    return CleanReport(
        name=name,
        status="succeeded",
        config_yaml=config_yaml,
        summaries={n: read_json(folder / "summary.json") for n, folder in quarantines.items()},
        lines=lines,
        flags=flags,
        cards={n: read_json(folder / "train" / "card.json") for n, folder in parts.items()},
        steps=[StepRecord.from_record(read_json(path)) for path in steps.values()],
    )


def render_clean(report: CleanReport) -> str:
    """Write the page: a whole HTML document that needs nothing beside it."""
    totals = report.totals
    headline = (
        f"{totals['frames_in']} frames in = {totals['kept']} kept + {totals['repaired']} repaired "
        f"+ {totals['quarantined']} quarantined"
    )
    starts = [s.started for s in report.steps if s.started is not None and not s.reused]
    ends = [s.finished for s in report.steps if s.finished is not None and not s.reused]
    return render(
        "clean.html.j2",
        report=report,
        kind="clean",
        seconds=max(ends) - min(starts) if starts and ends else None,
        headline=headline,
        datasets=[_dataset_row(name, summary) for name, summary in report.summaries.items()],
        codes=_code_rows(report.lines),
        systems=_system_rows(report.summaries),
        notes=[
            {"dataset": name, "elements": elements, "note": note}
            for name, summary in report.summaries.items()
            for elements, note in summary["notes"].items()
        ],
        dag=dag_svg.lay_out(report.steps),
        node_size=(dag_svg.NODE_WIDTH, dag_svg.NODE_HEIGHT),
    )


def _dataset_row(name: str, summary: Mapping[str, Any]) -> dict[str, str]:
    row = {"name": name, **{key: str(summary[key]) for key in _COUNTS}}
    row["unreadable"] = str(len(summary["unreadable"]))
    return row


def _code_rows(lines: Sequence[str]) -> list[dict[str, str]]:
    """Return one row per dataset, code and decision, with examples."""
    findings = [json.loads(line) for line in lines]
    counts = Counter((f["dataset"], f["code"], f["decision"]) for f in findings)
    rows = []
    for key in sorted(counts):
        mine = [f for f in findings if (f["dataset"], f["code"], f["decision"]) == key]
        examples = [f"{f['system']} frame {f['frame']}: {f['what']}" for f in mine[:_EXAMPLES]]
        rows.append({
            "dataset": key[0], "code": key[1], "decision": key[2], "count": str(counts[key]),
            "examples": "; ".join(examples),
        })  # fmt: skip
    return rows


def _system_rows(summaries: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    rows = []
    for name, summary in summaries.items():
        rows += [
            {"dataset": name, "system": system, "code": "UNREADABLE", "what": what, "repair": ""}
            for system, what in summary["unreadable"].items()
        ]
        rows += [
            {
                "dataset": name,
                **{key: str(fault[key]) for key in ("system", "code", "what", "repair")},
            }
            for fault in summary["faults"]
        ]
    return rows
