"""Files in a store under the SHA-256 of their bytes: sent once, never taken if damaged."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lamflow.errors import InputError, Problem
from lamflow.files import list_files, sha256_file
from lamflow.progress import Progress
from lamflow.registry.release import Part
from lamflow.store.protocol import CorruptError, Store

_WORKERS = 4


def part_key(sha256: str) -> str:
    """Return the key of a file's bytes."""
    return f"parts/{sha256[:2]}/{sha256}"


def send_parts(
    store: Store, parts: Mapping[str, Part], files: Mapping[str, Path], progress: Progress
) -> None:
    """Store the files that are not there yet; `progress` is told bytes.

    Raises
    ------
    InputError
        A file was changed after it was hashed.
    """

    def send(name: str) -> None:
        key, source, part = part_key(parts[name].sha256), files[name], parts[name]
        if store.holds(key, source, part.sha256):
            return
        store.put(key, source, sha256=part.sha256)
        if not is_part(source, part):
            store.delete(key)  # what went there may be neither the old nor the new file
            what = "was changed while it was published; publish again"
            raise InputError(Problem(str(source), "", what))

    _each(send, parts, progress)


def fetch_parts(store: Store, parts: Mapping[str, Part], folder: Path, progress: Progress) -> None:
    """Fetch files into `folder`, which has nothing but them at the end.

    Those that are there already with the right bytes are not fetched again.

    Raises
    ------
    NotFoundError, CorruptError
        A part is gone or damaged in the store.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def fetch(name: str) -> None:
        if not is_part(folder / name, parts[name]):
            fetch_part(store, parts[name], folder / name)

    _each(fetch, parts, progress)
    for path in list_files(folder):
        if path.relative_to(folder).as_posix() not in parts:
            path.unlink()  # a process that was killed left it


def fetch_part(store: Store, part: Part, target: Path) -> None:
    """Fetch one file; see `fetch_parts` for what is raised."""
    key = part_key(part.sha256)
    store.get(key, target)
    if not is_part(target, part):
        target.unlink()
        raise CorruptError(
            f"{store.url}/{key} is damaged (SHA-256 differs); publish the same files again, "
            "which puts it right"
        )


def is_part(path: Path, part: Part) -> bool:
    """Whether a file has the bytes of a part."""
    return path.is_file() and path.stat().st_size == part.size and sha256_file(path) == part.sha256


def _each(work: Callable[[str], None], parts: Mapping[str, Part], progress: Progress) -> None:
    """Do `work` for all names, some at a time; after a failure no more are begun."""
    total = sum(part.size for part in parts.values())
    done = 0
    with ThreadPoolExecutor(_WORKERS) as pool:
        tasks = {name: pool.submit(work, name) for name in parts}
        try:
            for name, task in tasks.items():
                task.result()
                done += parts[name].size
                progress(done, total, {})
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
