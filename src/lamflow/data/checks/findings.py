"""What checks say about frames and systems."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that one check found in one frame.

    Attributes
    ----------
    frame
        Number of the frame in the order in which the dataset streams.
    code
        Which fault, for example ``OVERLAP``.
    value, threshold
        The number that was found and the limit that it broke.
    what
        Explanation with numbers and units.
    repair
        What would put it right, if that is known, for example ``energy * 27.2114``.
    """

    frame: int
    code: str
    value: float | None
    threshold: float | None
    what: str
    repair: str = ""


@dataclass(frozen=True)
class SystemFault:
    """Something that is wrong with a whole system folder or file.

    Attributes
    ----------
    system
        Name of the system, relative to its dataset.
    code
        Which fault, for example ``STRUCTURE`` or ``ENERGY_UNIT``.
    what
        Explanation with numbers and units.
    repair
        What would put it right, if that is known.
    """

    system: str
    code: str
    what: str
    repair: str = ""
