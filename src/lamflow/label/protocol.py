"""What a labeller is: an engine behind an ASE calculator, with positive proof of convergence."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from lamflow.config.base import StrictModel
from lamflow.data.frames import FloatArray
from lamflow.errors import RunError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator


class UnconvergedError(RunError):
    """The self-consistent field did not converge, or there is no proof that it did."""

    kind = "unconverged"


class ImplausibleError(RunError):
    """The engine ended well, but what it gave can't be a label."""

    kind = "implausible"


@dataclass(frozen=True, eq=False)
class Label:
    """What an engine says about one frame.

    Attributes
    ----------
    energy
        eV; the free energy where electrons are smeared, because the forces belong to that one.
    forces
        (natoms, 3) eV/Å.
    virial
        (3, 3) eV, −V·stress = −dE/dε; None for molecules.
    evidence
        How convergence was seen, in words.
    """

    energy: float
    forces: FloatArray
    virial: FloatArray | None
    evidence: str


class Labeller(Protocol):
    """Makes calculators for frames, and judges whether they converged.

    The class is made with its settings: ``Engine(Engine.settings_type(...))``. All methods are
    called in processes of their own, so that an engine may crash or hang.
    """

    settings_type: ClassVar[type[StrictModel]]
    """Typed settings; everything that changes a label is in them."""

    frames_per_process: ClassVar[int]
    """How many frames one child process labels, one after the other: 1 for DFT, more where
    starting takes longer than labelling."""

    @property
    def settings(self) -> StrictModel:
        """The settings; paths in them are absolute, because children work in other folders."""

    def __init__(self, settings: Any) -> None:
        """Keep the settings; import nothing heavy."""

    def check(self, elements: Sequence[str], periodic: bool) -> None:
        """Refuse what can never work, before any frame is labelled.

        Raises
        ------
        InputError
            If the engine is not installed, does not know an element or has no pseudopotential or
            basis for it, or can't treat such a boundary.
        """

    def identity(self, elements: Sequence[str]) -> dict[str, Any]:
        """Tell, as JSON values, all that decides the label of a frame beside its atoms.

        That is the settings, the engine's version, and the hashes of files such as the
        pseudopotentials of `elements`.
        """

    def calculator(self, atoms: "Atoms", folder: Path, *, gentle: bool) -> "BaseCalculator":
        """Make the calculator for one frame.

        Parameters
        ----------
        atoms
            The frame. A molecule may be put into a box: its cell set, the whole of it moved. It
            must not be turned or reordered.
        folder
            Empty; for the engine's files. Its output goes to `lamflow.children.ENGINE_LOG` there.
        gentle
            Whether this is the second try, with softer mixing and more cycles.
        """

    def evidence(self, calculator: "BaseCalculator", folder: Path) -> str:
        """Tell how convergence is seen, after energy and forces were computed.

        Raises
        ------
        UnconvergedError
            If there is no positive proof.
        """

    def explain(self, error: Exception, folder: Path) -> Exception:
        """Translate what the engine raised; `folder` has its files.

        Returns
        -------
        `UnconvergedError`, `InputError` if the frame can never work with these settings, or
        `error` itself.
        """
