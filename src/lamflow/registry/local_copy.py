"""From a reference in a configuration to a local folder whose files were checked."""

from pathlib import Path

from lamflow.errors import InputError, Problem
from lamflow.progress import Progress, silent
from lamflow.registry.names import Kind, is_reference, parse_reference
from lamflow.registry.open import open_registry
from lamflow.registry.parts import is_part
from lamflow.registry.registry import Registry
from lamflow.registry.release import Release
from lamflow.store.fetch import default_cache


def resolve(
    reference: str,
    kind: Kind = "model",
    *,
    registry: Registry | None = None,
    cache: Path | None = None,
    progress: Progress = silent,
) -> Path:
    """Give the local path of a model or dataset.

    Parameters
    ----------
    reference
        ``openlam/dpa2-small@7``, ``openlam/dpa2-small@latest``, either or a bare name after
        ``registry:``; anything else is a path.
    kind
        What it names.
    registry
        Where to look it up; default: `lamflow.registry.open.open_registry`.
    cache
        Folder for fetched versions; default: beside that of fetched data.
    progress
        Is told bytes.

    Returns
    -------
    The path itself if it is one and exists. Else a folder with the files of the version, to be
    read only: each file's hash has just been compared with the version's card.

    Raises
    ------
    InputError
        There is no such path, name or version.
    NotFoundError, CorruptError
        The store lacks a file of the version, or has a damaged one.
    """
    if not is_reference(reference):
        path = Path(reference)
        if not path.exists():
            what = "no such file or folder; a registered one is written name@version"
            raise InputError(Problem(reference, "", what))
        return path
    registry = registry or open_registry()
    release = registry.release(kind, parse_reference(reference))
    return cached(registry, release, cache, progress)


def cached(
    registry: Registry, release: Release, cache: Path | None = None, progress: Progress = silent
) -> Path:
    """Give a local folder with a version's files, each checked; fetched at most once.

    A copy that was changed since it was fetched is fetched anew. Several processes may ask at
    once; one fetches, the others wait.
    """
    from filelock import FileLock

    base = (cache or default_cache().parent / "releases") / release.sha256[:32]
    base.mkdir(parents=True, exist_ok=True)
    folder = base / release.name.rpartition("/")[2]
    with FileLock(base / ".lock"):
        if not _is_whole(folder, release):
            if folder.exists():
                folder.replace(_spare(base))
            registry.pull(release, folder, progress)
    return folder


def _is_whole(folder: Path, release: Release) -> bool:
    return all(is_part(folder / name, part) for name, part in release.content.parts.items())


def _spare(base: Path) -> Path:
    """Return a new name for a copy that was changed: another process may still be reading it."""
    number = 1
    while (base / f"changed-{number}").exists():
        number += 1
    return base / f"changed-{number}"
