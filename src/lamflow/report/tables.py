"""Rows of the report's tables, from the mappings of `lamflow.report.model`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lamflow.report.text import DASH, count, error, finite, plain

ERROR_QUANTITIES = (
    ("Energy", "meV/atom", "energy_rmse_meV_per_atom", "energy_mae_meV_per_atom"),
    ("Force", "meV/Å", "force_rmse_meV_per_A", "force_mae_meV_per_A"),
    ("Virial", "meV/atom", "virial_rmse_meV_per_atom", "virial_mae_meV_per_atom"),
)
"""Words, unit, and keys of RMSE and MAE in ``metrics.json``."""

_NEARLY_EQUAL = 1.1
_REQUIRED_KEYS = ("energy_rmse_meV_per_atom", "force_rmse_meV_per_A")


@dataclass(frozen=True)
class ErrorCell:
    """One quantity of one head: formatted errors of model and baseline, and who is better.

    `mark` is a triangle with the ratio, `verdict` the word to it; a missing MAE is empty.
    """

    rmse: str
    mae: str
    baseline_rmse: str
    baseline_mae: str
    mark: str
    verdict: str
    better: bool


@dataclass(frozen=True)
class ErrorRow:
    """One head's errors; `cells` are in the order of the table's quantities."""

    head: str
    weight: str
    frames: str
    cells: tuple[ErrorCell, ...]


@dataclass(frozen=True)
class ErrorTable:
    """The error table as in the OpenLAM reports; `quantities` are (words, unit)."""

    quantities: tuple[tuple[str, str], ...]
    rows: tuple[ErrorRow, ...]
    weighted: ErrorRow | None


def error_table(metrics: Mapping[str, Any], weights: Mapping[str, float]) -> ErrorTable:
    """Build the table from the content of ``metrics.json``.

    Quantities that no head has (such as the virial of molecules) are left out.
    """
    heads: Mapping[str, Mapping[str, Any]] = {
        name: head for name, head in (metrics.get("heads") or {}).items() if not _other(head)
    }
    shown = [q for q in ERROR_QUANTITIES if any(_has(h, q[2]) for h in heads.values())]
    weighted = metrics.get("weighted")
    return ErrorTable(
        tuple((words, unit) for words, unit, _, _ in shown),
        tuple(
            ErrorRow(
                name,
                plain(weights.get(name)),
                count(head.get("frames")),
                tuple(_cell(head, rmse, mae) for _, _, rmse, mae in shown),
            )
            for name, head in heads.items()
        ),
        ErrorRow(
            "Weighted mean", "", "", tuple(_cell(weighted, rmse, mae) for _, _, rmse, mae in shown)
        )
        if weighted
        else None,
    )


@dataclass(frozen=True)
class OtherRow:
    """One error of a head of another task than energies, all of it text."""

    head: str
    task: str
    frames: str
    quantity: str
    model: str
    baseline: str
    verdict: str


def other_rows(metrics: Mapping[str, Any]) -> list[OtherRow]:
    """Tell the errors of heads that learnt something else than energies."""
    return [
        OtherRow(
            name, plain(head["task"]), count(head.get("frames")), words,
            _figure(head.get(key)), _figure(_baseline(head).get(key)),
            _comparison(head.get(key), _baseline(head).get(key)),
        )
        for name, head in (metrics.get("heads") or {}).items()
        for key, words in other_quantities(head).items()
    ]  # fmt: skip


def other_quantities(head: Mapping[str, Any]) -> dict[str, str]:
    """Name the errors of a head of another task; nothing for energies."""
    unit = f" ({head['unit']})" if head.get("unit") else ""
    label = head.get("label", "")
    words = {
        "value_rmse": f"{label} RMSE{unit}",
        "value_mae": f"{label} MAE{unit}",
        "displacement_rmse_A": "displacement RMSE (Å)",
        "wrong_elements": "masked elements not found (fraction)",
        "magnetic_force_rmse_meV_per_muB": "magnetic force RMSE (meV/μB)",
    }
    return {key: said for key, said in words.items() if finite(head.get(key)) is not None}


def _other(head: Mapping[str, Any]) -> bool:
    """Whether a head has no energies to tell about."""
    return head.get("task") not in (None, "energy", "spin")


def _figure(value: Any) -> str:
    number = finite(value)
    return DASH if number is None else f"{number:.4g}"


def _comparison(ours: Any, theirs: Any) -> str:
    if finite(ours) is None or finite(theirs) is None:
        return DASH
    return " ".join(_verdict(float(ours), float(theirs)))


def _has(head: Mapping[str, Any], key: str) -> bool:
    return finite(head.get(key)) is not None or finite(_baseline(head).get(key)) is not None


def _baseline(head: Mapping[str, Any]) -> Mapping[str, Any]:
    return head.get("baseline") or {}


def _cell(head: Mapping[str, Any], rmse_key: str, mae_key: str) -> ErrorCell:
    base = _baseline(head)
    ours, theirs = finite(head.get(rmse_key)), finite(base.get(rmse_key))
    mark, verdict = _verdict(ours, theirs) if ours is not None and theirs is not None else ("", "")
    return ErrorCell(
        error(ours), _or_nothing(head.get(mae_key)), error(theirs), _or_nothing(base.get(mae_key)),
        mark, verdict, verdict == "smaller",
    )  # fmt: skip


def _or_nothing(value: Any) -> str:
    return "" if finite(value) is None else error(value)


def _verdict(ours: float, theirs: float) -> tuple[str, str]:
    if ours == theirs:
        return "=", "equal"
    mark, word = ("▼", "smaller") if ours < theirs else ("▲", "larger")
    low, high = sorted((ours, theirs))
    if low == 0:
        return mark, word
    ratio = high / low
    return f"{mark} {ratio:.{2 if ratio < _NEARLY_EQUAL else 1}f}×", word


def beats_baseline(metrics: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the heads whose energy and force RMSE are both below the baseline, and the others.

    Heads of another task are compared by all of their errors. Heads that have no
    baseline, or no number to compare, count as others.
    """
    winners: list[str] = []
    others: list[str] = []
    for name, head in (metrics.get("heads") or {}).items():
        base = _baseline(head)
        keys = other_quantities(head) if _other(head) else _REQUIRED_KEYS
        pairs = [(finite(head.get(key)), finite(base.get(key))) for key in keys]
        pairs = [pair for pair in pairs if pair != (None, None)]
        won = bool(pairs) and all(a is not None and b is not None and a < b for a, b in pairs)
        (winners if won else others).append(name)
    return winners, others


def headline(status: str, metrics: Mapping[str, Any]) -> str:
    """Tell the run's outcome in one sentence."""
    winners, others = beats_baseline(metrics)
    total = len(winners) + len(others)
    if not total:
        return f"The run {status}; no head has been evaluated."
    heads = "head" if total == 1 else "heads"
    if not winners:
        return f"The model beats the baseline on none of {total} {heads}."
    sentence = f"The model beats the baseline on {len(winners)} of {total} {heads}"
    return sentence + (f"; it does not on {', '.join(others)}." if others else ".")


@dataclass(frozen=True)
class DatasetRow:
    """One dataset's line, all of it text."""

    name: str
    kept: str
    quarantined: str
    atoms: str
    elements: str
    labels: str
    dft: str
    licence: str
    splits: str
    leak_risk: str
    source: str


def dataset_rows(datasets: Sequence[Mapping[str, Any]]) -> list[DatasetRow]:
    """Build the dataset table; see `PretrainReport.datasets` for the keys."""
    return [_dataset_row(dataset) for dataset in datasets]


def _dataset_row(dataset: Mapping[str, Any]) -> DatasetRow:
    clean: Mapping[str, Any] = dataset.get("clean") or {}
    split: Mapping[str, Any] = dataset.get("split") or {}
    low, high = dataset.get("atoms_min"), dataset.get("atoms_max")
    atoms = count(low) if low == high else f"{count(low)} to {count(high)}"
    return DatasetRow(
        name=plain(dataset.get("name")),
        kept=count(clean.get("kept", dataset.get("frames"))),
        quarantined=_quarantined(clean),
        atoms=atoms,
        elements=" ".join(dataset.get("elements") or []) or DASH,
        labels=plain(dataset.get("labels")),
        dft=plain(dataset.get("dft")),
        licence=plain(dataset.get("licence")),
        splits=plain(split.get("frames")),
        leak_risk=_leak_risk(split.get("leak_risk")),
        source=plain(dataset.get("source")),
    )


def _quarantined(clean: Mapping[str, Any]) -> str:
    reasons = clean.get("reasons")
    return count(clean.get("quarantined")) + (f": {plain(reasons)}" if reasons else "")


def _leak_risk(fractions: Mapping[str, float] | None) -> str:
    return ", ".join(f"{part} {risk:.1%}" for part, risk in (fractions or {}).items()) or DASH


@dataclass(frozen=True)
class ReferenceTable:
    """Element reference energies in eV: one row per element, one column per dataset.

    A star marks those that the compositions do not fix; `starred` tells whether there are any.
    """

    datasets: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    starred: bool


def reference_table(datasets: Sequence[Mapping[str, Any]]) -> ReferenceTable | None:
    """Collect the datasets' element references; None if no dataset has any."""
    known = {
        plain(dataset.get("name")): references
        for dataset in datasets
        if (references := dataset.get("references")) and references.get("energies")
    }
    if not known:
        return None
    elements = list(
        dict.fromkeys(e for references in known.values() for e in references["energies"])
    )
    return ReferenceTable(
        tuple(known),
        tuple((e, tuple(_reference(e, references) for references in known.values()))
              for e in elements),
        any(references.get("underdetermined") for references in known.values()),
    )  # fmt: skip


def _reference(element: str, references: Mapping[str, Any]) -> str:
    star = "*" if element in (references.get("underdetermined") or ()) else ""
    return _energy(references["energies"].get(element)) + star


def _energy(value: Any) -> str:
    number = finite(value)
    return DASH if number is None else f"{number:.3f}".replace("-", "−")
