"""Put right what is known to be wrong: units, signs, net forces, exchanged cell rows."""

from dataclasses import replace

import numpy as np

from lamflow.data.frames import System

_QUANTITIES = {
    "energy": "energies", "forces": "forces", "virial": "virials", "coordinates": "coords",
}  # fmt: skip


def can_repair(repair: str) -> bool:
    """Whether `repaired` knows how."""
    return _factor(repair) is not None or repair in ("exchange rows", "subtract the mean force")


def repaired(frame: System, repair: str) -> System:
    """Return a one-frame system with a repair done.

    Parameters
    ----------
    frame
        The frame.
    repair
        As a finding tells it: ``energy * 27.2114``, ``exchange rows``, ...
    """
    if (found := _factor(repair)) is not None:
        name, factor = found
        return replace(frame, **{name: getattr(frame, name) * factor})
    if repair == "exchange rows" and frame.cells is not None:
        return replace(frame, cells=frame.cells[:, [1, 0, 2]])
    if repair == "subtract the mean force" and frame.forces is not None:
        return replace(frame, forces=frame.forces - frame.forces.mean(axis=1, keepdims=True))
    raise ValueError(f"no such repair: {repair}")


def _factor(repair: str) -> tuple[str, float] | None:
    words = repair.split(" * ")
    if len(words) != 2 or words[0] not in _QUANTITIES:
        return None
    value = float(words[1])
    return (_QUANTITIES[words[0]], value) if np.isfinite(value) and value else None
