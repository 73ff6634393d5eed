"""What an explorer is: it turns one frame into many, and says where it had to stop."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from lamflow.config.base import StrictModel
from lamflow.data.frames import FloatArray, IntArray, System
from lamflow.progress import Progress, silent

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator


@dataclass(frozen=True)
class Stop:
    """Why an exploration ended early.

    Attributes
    ----------
    guard
        `not_finite`, `temperature`, `energy`, `distance`, `bond` or `volume`.
    step
        Step at which the guard was broken.
    atoms
        Indices of the atoms that broke it, if it is about atoms.
    message
        What happened, with step and atoms.
    """

    guard: str
    step: int
    atoms: tuple[int, ...]
    message: str


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What one exploration found.

    Attributes
    ----------
    frames
        Unlabelled; `origins` are the steps.
    energies
        (nframes,) eV by the explorer's model; NaN if it used none.
    temperatures
        (nframes,) K, instantaneous; NaN where nothing moves.
    stop
        None if it went to its end. Frames are those before the stop.
    """

    frames: System
    energies: FloatArray
    temperatures: FloatArray
    stop: Stop | None

    @property
    def steps(self) -> IntArray:
        """Step of each frame, (nframes,)."""
        return self.frames.origins


class Explorer(Protocol):
    """Finds new frames around one that is known."""

    settings_type: ClassVar[type[StrictModel]]
    """Typed settings."""

    needs_calculator: ClassVar[bool]
    """Whether energies and forces are needed."""

    def __init__(self, settings: Any) -> None:
        """Keep the settings; import nothing heavy."""

    def explore(
        self,
        start: "Atoms",
        calculator: "BaseCalculator | None",
        rng: np.random.Generator,
        progress: Progress = silent,
    ) -> Trajectory:
        """Explore from `start`, which is left as it is.

        Parameters
        ----------
        start
            Periodic in three directions or in none.
        calculator
            ASE calculator; None if `needs_calculator` is false.
        rng
            All randomness comes from it.
        progress
            Told steps done of all.

        Raises
        ------
        InputError
            If the settings do not suit the frame, such as pressure for a molecule.
        """
