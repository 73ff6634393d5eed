"""Property tests as data: which properties of a system, what they should be, and how nearly.

A value passes if it differs from the reference by at most the tolerance, or without a reference
lies between `low` and `high`. A test without limits reports the value, and fails if there is none.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lamflow.config.base import Integer, Number, PositiveInteger, PositiveNumber, StrictModel
from lamflow.errors import InputError, LamflowError, Problem
from lamflow.evaluate.properties.result import PropertyCurve, PropertyValue
from lamflow.progress import Progress, silent

if TYPE_CHECKING:
    from ase import Atoms

PropertyName = Literal[
    "volume", "bulk modulus", "C11", "C12", "C44", "cohesive energy", "vacancy energy",
    "surface energy 111", "surface energy 100", "lowest phonon", "heat capacity", "energy drift",
    "survival", "RDF peak", "diffusion", "speed",
]  # fmt: skip
PROPERTIES: tuple[str, ...] = get_args(PropertyName)


class Crystal(StrictModel):
    """A crystal of one element, as `ase.build.bulk` makes it."""

    element: str
    """Chemical symbol."""
    structure: Literal["fcc", "bcc", "sc", "diamond"]
    """Structure; cubic."""
    a: PositiveNumber
    """Lattice constant to start from, Å."""

    def build(self) -> "Atoms":
        """Return the cubic cell.

        Raises
        ------
        InputError
            There is no such element.
        """
        from ase.build import bulk

        try:
            return bulk(self.element, self.structure, a=self.a, cubic=True)
        except (ValueError, RuntimeError, KeyError) as error:
            what = f"no {self.structure} crystal can be built: {error}"
            raise InputError(Problem(self.element, "", what)) from error


class PropertyTest(StrictModel):
    """One property and its limits."""

    property: PropertyName
    """Which property."""
    reference: Number | None = None
    """What it should be, from DFT of the same level as the labels or from experiment."""
    tolerance: Annotated[Number, Field(ge=0)] | None = None
    """Largest allowed difference from the reference."""
    low: Number | None = None
    """Smallest allowed value, if there is no reference."""
    high: Number | None = None
    """Largest allowed value, if there is no reference."""
    source: str = ""
    """Where the reference is from."""

    @model_validator(mode="after")
    def _has_both(self) -> "PropertyTest":
        if (self.reference is None) != (self.tolerance is None):
            raise PydanticCustomError("limits", "reference and tolerance belong together")
        return self

    def allows(self, value: float) -> bool:
        """Whether a value is within the limits."""
        if self.reference is not None and self.tolerance is not None:
            return abs(value - self.reference) <= self.tolerance
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


class MdSettings(StrictModel):
    """Short dynamics: NVT for survival and RDF, then NVE for drift and diffusion."""

    temperature_K: PositiveNumber = 300.0  # noqa: N815
    """Temperature, K."""
    steps: PositiveInteger = 500
    """Steps of each run."""
    timestep_fs: PositiveNumber = 1.0
    """Time step, fs; 0.5 or less with hydrogen."""
    seed: Integer = 0
    """Of the velocities."""


UNITS: dict[str, str] = {
    "volume": "Å³/atom", "bulk modulus": "GPa", "C11": "GPa", "C12": "GPa", "C44": "GPa",
    "cohesive energy": "eV/atom", "vacancy energy": "eV", "surface energy 111": "J/m²",
    "surface energy 100": "J/m²", "lowest phonon": "THz", "heat capacity": "J/(mol K)",
    "energy drift": "eV/atom/ps", "survival": "ps", "RDF peak": "Å", "diffusion": "Å²/ps",
    "speed": "atom steps/s",
}  # fmt: skip


def run_tests(
    system: str,
    start: "Atoms | Crystal",
    tests: Iterable[PropertyTest],
    calculator: Any,
    settings: MdSettings | None = None,
    *,
    progress: Progress = silent,
) -> tuple[list[PropertyValue], list[PropertyCurve]]:
    """Compute properties of a system; what can't be computed has failed, with the reason.

    Parameters
    ----------
    system
        Its name.
    start
        A crystal, or any frame; relaxed first (the cell of periodic ones, too).
    tests
        Which properties; they share relaxation and trajectories.
    calculator
        ASE calculator with stress.
    settings
        For the dynamics.
    progress
        Told about tests done.

    Returns
    -------
    The values, in the order of `tests`, and the curves behind them.

    Raises
    ------
    InputError
        A crystal can't be built, the system has no such property, or a package is missing.
    """
    from lamflow.evaluate.properties.bench import Bench

    bench = Bench(start, calculator, settings or MdSettings())
    wanted = list(tests)
    values = []
    for number, test in enumerate(wanted, start=1):
        values.append(_run(system, test, bench.value))
        progress(number, len(wanted), {"property": test.property})
    return values, [curve.model_copy(update={"system": system}) for curve in bench.curves]


def _run(system: str, test: PropertyTest, compute: Any) -> PropertyValue:
    value, reason = None, ""
    try:
        value = float(compute(test.property))
    except InputError:
        raise
    except (LamflowError, ArithmeticError, ValueError) as error:
        reason = str(error)
    if value is not None and not np.isfinite(value):
        value, reason = None, "is not finite"
    return PropertyValue(
        system=system, name=test.property, value=value, unit=UNITS[test.property],
        reference=test.reference, passed=value is not None and test.allows(value), reason=reason,
    )  # fmt: skip
