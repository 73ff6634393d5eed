"""What is checked in each frame before it is trained on, and what is done about it."""

from typing import Literal

from lamflow.config.base import PositiveNumber, StrictModel

Decision = Literal["reject", "warn", "off"]


class CleanSettings(StrictModel):
    """For each check: reject (to quarantine, with the reason), warn or off."""

    finite: Decision = "reject"
    """NaN or infinity in coordinates, cell or labels."""
    duplicates: Decision = "reject"
    """The same frame again; the first one is kept."""
    units: Decision = "warn"
    """Numbers of a size that points to other units than eV and Å."""
    forces: Decision = "warn"
    """Forces above `max_force`."""
    max_force: PositiveNumber = 500.0
    """Largest believable force on an atom, eV/Å."""
