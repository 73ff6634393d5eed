"""Computing every hash again."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from lamflow.registry.names import Kind, Reference, parse_reference
from lamflow.registry.parts import fetch_part
from lamflow.registry.registry import Registry
from lamflow.store.protocol import CorruptError, NotFoundError


def verify_all(
    registry: Registry, kind: Kind, reference: str | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Check versions one after the other; a damaged one does not stop the others.

    Parameters
    ----------
    registry, kind
        Where, and what.
    reference
        ``name@version`` for one, ``name`` for all of a name, None for all there are.

    Yields
    ------
    The version and what is wrong with it, a line for each fault; none if all is well.

    Raises
    ------
    InputError
        If there is no such name or version.
    """
    for name, version in _chosen(registry, kind, reference):
        yield f"{name}@{version}", verify_version(registry, kind, Reference(name, version))


def _chosen(registry: Registry, kind: Kind, reference: str | None) -> list[tuple[str, int]]:
    if reference is not None and "@" in reference:
        release = registry.release(kind, reference)
        return [(release.name, release.version)]
    names = registry.names(kind)
    if reference is not None:
        names = [registry.known_name(kind, parse_reference(reference).name)]
    return [(name, version) for name in names for version in registry.versions(kind, name)]


def verify_version(registry: Registry, kind: Kind, reference: Reference) -> list[str]:
    """Read a version's record and fetch every part of it; return what is wrong."""
    try:
        release = registry.release(kind, reference)
    except CorruptError as error:
        return [str(error)]
    faults = []
    with tempfile.TemporaryDirectory(prefix="lamflow-verify-") as scratch:
        for name, part in release.content.parts.items():
            target = Path(scratch) / "part"
            try:
                fetch_part(registry.store, part, target)
            except (NotFoundError, CorruptError) as error:
                faults.append(f"{name}: {error}")
            target.unlink(missing_ok=True)
    return faults
