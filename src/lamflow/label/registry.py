"""Find labellers by name: those of lamflow, and those that other packages offer.

A package offers one as an entry point of group ``lamflow.labellers`` that names a class with the
methods of `lamflow.label.protocol.Labeller`; `lamflow.testing.labeller` tests it.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from lamflow.errors import InputError, Problem
from lamflow.label.protocol import Labeller

GROUP = "lamflow.labellers"

_BUILT_IN = {
    "emt": "lamflow.label.engines.emt:Emt",
    "tblite": "lamflow.label.engines.tblite:Tblite",
    "gpaw": "lamflow.label.engines.gpaw:Gpaw",
    "pyscf": "lamflow.label.engines.pyscf:Pyscf",
    "teacher": "lamflow.label.engines.teacher:Teacher",
}


def _known() -> dict[str, EntryPoint]:
    found = {name: EntryPoint(name, where, GROUP) for name, where in _BUILT_IN.items()}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, point)
    return found


def names() -> tuple[str, ...]:
    """Names of all labellers, sorted; whether their engines are installed is not asked."""
    return tuple(sorted(_known()))


def labeller_type(name: str) -> type[Labeller]:
    """Return the class of a labeller.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    known = _known()
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(known))}"
        raise InputError(Problem("", "label.engine", f"unknown labeller {name!r}; {hint}"))
    found: type[Labeller] = known[name].load()
    return found


def build(name: str, settings: Mapping[str, Any]) -> Labeller:
    """Make a labeller with settings as they stand in a config.

    Raises
    ------
    InputError
        If there is none of this name, or for each setting that is wrong.
    """
    kind = labeller_type(name)
    try:
        return kind(kind.settings_type.model_validate(dict(settings)))
    except ValidationError as error:
        raise InputError(
            *(
                Problem("", ".".join(["label", name, *map(str, e["loc"])]), e["msg"])
                for e in error.errors()
            )
        ) from error
