"""Learning curves."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamflow.data.frames import FloatArray, IntArray
from lamflow.errors import InputError, Problem
from lamflow.train.protocol import SINGLE_HEAD

_PARTS = {"rmse": "loss", "rmse_e": "energy", "rmse_f": "force", "rmse_v": "virial"}
_SETS = {"trn": "train", "val": "validation"}
_COLUMN = re.compile(rf"(?P<part>{'|'.join(_PARTS)})_(?P<set>trn|val)(?:_(?P<head>.+))?")


@dataclass(frozen=True, eq=False)
class Curve:
    """How the errors of a batch fell during training.

    Attributes
    ----------
    steps
        (n,) optimizer steps.
    learning_rates
        (n,)
    heads
        Head, then series, to (n,) values. A series is named ``train_energy`` or
        ``validation_force`` and so on: RMSE of ``energy`` (eV/atom), ``force`` (eV/Å), ``virial``
        (eV/atom), and ``loss``, the root of the weighted loss. NaN where a batch has no such label.
    """

    steps: IntArray
    learning_rates: FloatArray
    heads: Mapping[str, Mapping[str, FloatArray]]

    def last(self) -> dict[str, float]:
        """Newest finite values as ``HEAD.SERIES`` (``SERIES`` if there is only one head)."""
        if not len(self.steps):
            return {}
        return {
            series if len(self.heads) == 1 else f"{head}.{series}": float(values[-1])
            for head, table in self.heads.items()
            for series, values in table.items()
            if math.isfinite(values[-1])
        }


def read_curve(path: Path, head: str = SINGLE_HEAD) -> Curve:
    """Read DeePMD-kit's ``lcurve.out`` of a single- or multi-task run.

    Lines that a restart repeats replace the earlier ones; a last line that is still being written
    is left out.

    Parameters
    ----------
    path
        The file.
    head
        Name of the only head of a single-task run.

    Raises
    ------
    InputError
        The file is missing or has no header.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(Problem(str(path), "", f"no learning curve here ({error})")) from error
    names: list[str] = []
    rows: dict[int, list[float]] = {}
    for line in text.splitlines(keepends=True):
        if line.startswith("# step"):
            names = line[1:].split()
        elif not line.startswith("#") and (row := _row(line, len(names))):
            step = int(row[0])
            rows = {old: values for old, values in rows.items() if old < step}
            rows[step] = row
    if not names:
        raise InputError(Problem(str(path), "", "has no header line; is it a learning curve?"))
    table = np.array(list(rows.values()), dtype=np.float64).reshape(len(rows), len(names))
    return Curve(
        table[:, 0].astype(np.int64), table[:, names.index("lr")], _series(names, table, head)
    )


def _row(line: str, columns: int) -> list[float]:
    """Give a complete line's numbers; nothing for one that is torn."""
    if not line.endswith("\n"):
        return []
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        return []
    return values if len(values) == columns else []


def _series(names: list[str], table: FloatArray, only: str) -> dict[str, dict[str, FloatArray]]:
    heads: dict[str, dict[str, FloatArray]] = {}
    for column, name in enumerate(names):
        if match := _COLUMN.fullmatch(name):
            series = f"{_SETS[match['set']]}_{_PARTS[match['part']]}"
            heads.setdefault(match["head"] or only, {})[series] = table[:, column]
    return heads
