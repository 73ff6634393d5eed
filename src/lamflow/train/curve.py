"""Learning curves."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamflow.data.frames import FloatArray, IntArray
from lamflow.errors import InputError, Problem
from lamflow.files import write_text
from lamflow.train.protocol import SINGLE_HEAD

_PARTS = {
    "rmse": "loss", "rmse_e": "energy", "rmse_f": "force", "rmse_v": "virial",
    "rmse_fr": "force", "rmse_fm": "magnetic_force",
    "rmse_d": "displacement", "err_t": "wrong_elements",
    "mae": "property", "rmse_global_dipole": "dipole", "rmse_global_dos": "dos",
}  # fmt: skip
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
        Heads of other tasks have ``displacement`` (Å) and ``wrong_elements`` (fraction), MAE of
        ``property`` (its unit, per atom if it is extensive), RMSE per atom of ``dipole`` and
        ``dos``, and of the ``magnetic_force`` (eV/μB).
    """

    steps: IntArray
    learning_rates: FloatArray
    heads: Mapping[str, Mapping[str, FloatArray]]


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
    reader = CurveReader(path, head)
    reader.update()
    return reader.curve()


def trim_curve(path: Path, step: int) -> None:
    """Drop what a curve tells about steps after `step`, as training goes on from there."""

    def kept(line: str) -> bool:
        first = line.split(maxsplit=1)[:1]
        return line.startswith("#") or (
            bool(first) and first[0].isdigit() and int(first[0]) <= step
        )

    if path.exists():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        write_text(path, "".join(line for line in lines if line.endswith("\n") and kept(line)))


class CurveReader:
    """Reads a learning curve while it is being written; see `read_curve`."""

    def __init__(self, path: Path, head: str = SINGLE_HEAD) -> None:
        self._path = path
        self._head = head
        self._offset = 0
        self._names: list[str] = []
        self._rows: dict[int, list[float]] = {}

    def update(self) -> bool:
        """Read the whole lines that were added; whether there were any with numbers."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                added = file.read()
        except OSError as error:
            raise InputError(
                Problem(str(self._path), "", f"no learning curve here ({error})")
            ) from error
        whole = added[: added.rfind(b"\n") + 1]
        self._offset += len(whole)
        return any([self._take(line) for line in whole.decode("utf-8", "replace").splitlines()])

    def curve(self) -> Curve:
        """Give what has been read so far; InputError if there was no header."""
        if not self._names:
            raise InputError(
                Problem(str(self._path), "", "has no header line; is it a learning curve?")
            )
        names, rows = self._names, list(self._rows.values())
        table = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
        return Curve(
            table[:, 0].astype(np.int64),
            table[:, names.index("lr")],
            _series(names, table, self._head),
        )

    def newest(self) -> tuple[int, dict[str, float]]:
        """Give the last step and its finite values as ``HEAD.SERIES``; 0 if there is none."""
        if not self._rows:
            return 0, {}
        step, row = next(reversed(self._rows.items()))
        table = np.array([row], dtype=np.float64)
        heads = _series(self._names, table, self._head)
        values = {
            series if len(heads) == 1 else f"{head}.{series}": float(column[0])
            for head, columns in heads.items()
            for series, column in columns.items()
            if math.isfinite(column[0])
        }
        return step, values

    def _take(self, line: str) -> bool:
        if line.startswith("# step"):
            self._names = line[1:].split()
        row = _row(line, len(self._names))
        if not row:
            return False
        step = int(row[0])
        while self._rows and next(reversed(self._rows)) >= step:
            self._rows.popitem()
        self._rows[step] = row
        return True


def _row(line: str, columns: int) -> list[float]:
    """Give a line's numbers; nothing for a comment, or for a line that a crash has torn."""
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        return []
    return values if values and len(values) == columns else []


def _series(names: list[str], table: FloatArray, only: str) -> dict[str, dict[str, FloatArray]]:
    heads: dict[str, dict[str, FloatArray]] = {}
    for column, name in enumerate(names):
        if match := _COLUMN.fullmatch(name):
            series = f"{_SETS[match['set']]}_{_PARTS[match['part']]}"
            heads.setdefault(match["head"] or only, {})[series] = table[:, column]
    return heads
