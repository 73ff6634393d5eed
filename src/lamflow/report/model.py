"""What a report shows: plain records that the caller fills from a run's files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamflow.train.curve import Curve

Array = NDArray[np.float64]

REUSED_PHASES = frozenset({"cached", "reused", "skipped"})
"""Phases (lower case) of a step whose result an earlier run already had."""


@dataclass(frozen=True)
class StepRecord:
    """One step of a run.

    Attributes
    ----------
    name, op
        Name in the run, and the operator that it ran.
    needs
        Names of the steps whose products it takes.
    phase
        `succeeded`, `failed`, `running`, `pending`, `omitted`, or one of `REUSED_PHASES`;
        in any case of letters.
    started, finished
        Unix time in seconds; None where it did not.
    numbers
        A few results worth showing beside the step, such as ``{"frames": 812}``.
    """

    name: str
    op: str
    needs: tuple[str, ...] = ()
    phase: str = "succeeded"
    started: float | None = None
    finished: float | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "StepRecord":
        """Take a step's ``step.json``, which is written when it has succeeded."""
        return cls(
            name=record["name"],
            op=record["operator"].rpartition(":")[2],
            needs=tuple(record["needs"]),
            started=record["started"],
            finished=record["finished"],
            numbers=record["numbers"],
        )

    @property
    def seconds(self) -> float | None:
        """Wall time in s, None unless the step both started and finished."""
        if self.started is None or self.finished is None:
            return None
        return max(0.0, self.finished - self.started)

    @property
    def reused(self) -> bool:
        """Whether the step's result was there already and it did not run."""
        return self.phase.lower() in REUSED_PHASES


@dataclass(frozen=True)
class PretrainReport:
    """Everything that the report of a pretraining run shows.

    A mapping may lack keys: what is not there is left out of the page or shown as a dash.

    Attributes
    ----------
    name, status
        The run's name, and `succeeded`, `failed`, ...
    config_yaml
        The run's configuration as the user wrote it.
    steps
        In the order in which they ran.
    datasets
        One mapping per dataset: the dump of its `lamflow.data.card.DatasetCard` and, where known,
        `weight` (float), `clean` (dump of `CleanSummary`: `kept` and `quarantined` frames,
        `reasons` {reason: frames}), `split` (dump of `lamflow.data.split.SplitSummary`).
    curves
        Name of a training (such as ``"seed 1"``, one per committee member) to its curve.
    metrics
        The content of ``metrics.json``: `heads` and `weighted`.
    parity
        Head to `energy` (eV/atom, element references subtracted), `force` (eV/Å, components) and
        `virial` (eV/atom, components), as far as there are any: (n, 2), reference and predicted,
        as `lamflow.evaluate.errors.Parity` samples them.
    model_card
        The model's ``card.json``.
    versions
        Versions of software, hardware and seed: label to text.
    command
        What a reader types to run it again.
    """

    name: str
    status: str
    config_yaml: str
    steps: Sequence[StepRecord]
    datasets: Sequence[Mapping[str, Any]]
    curves: Mapping[str, Curve]
    metrics: Mapping[str, Any]
    parity: Mapping[str, Mapping[str, Array]]
    model_card: Mapping[str, Any]
    versions: Mapping[str, Any]
    command: str = "lamflow submit pretrain.yaml"
