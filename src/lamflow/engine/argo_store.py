"""What an Argo run has in the bucket: its inputs, finished steps of any run, its result."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lamflow.engine.argo_keys import OutputKeys, input_key, step_prefix
from lamflow.engine.graph import RECORD_PORT, Graph, Source, Step
from lamflow.errors import InputError, Problem, RunError
from lamflow.files import new_folder, sha256_tree
from lamflow.progress import Progress, silent
from lamflow.store.fetch import look
from lamflow.store.folders import Manifest, StoredFile, download_folder, upload_folder
from lamflow.store.protocol import Entry, NotFoundError, Store


def upload_inputs(store: Store, prefix: str, graph: Graph, progress: Progress = silent) -> None:
    """Send the user's files that the bucket lacks, each content once.

    Raises
    ------
    InputError
        A file was changed since the graph was made.
    """
    sources = {o.digest: o for s in graph.steps for _, _, o in s.origins() if isinstance(o, Source)}
    for source in sources.values():
        _upload(store, input_key(prefix, source), source, progress)


def _upload(store: Store, key: str, source: Source, progress: Progress) -> None:
    mark = f"{key}.json"  # written last: what has none is not whole
    if store.stat(mark) is not None:
        return
    path = Path(source.location)
    if sha256_tree(path) != source.digest:
        raise InputError(Problem(source.location, "", "was changed meanwhile; submit again"))
    if path.is_dir():
        upload_folder(store, path, key, progress, manifest_key=mark)
        return
    store.put(key, path, sha256=source.digest)
    file = StoredFile(path.name, path.stat().st_size, source.digest)
    store.write(mark, Manifest((file,)).to_bytes())


def find_finished(store: Store, prefix: str, graph: Graph) -> dict[str, OutputKeys]:
    """Return where the outputs of steps lie that some run has finished, by step's key.

    An attempt counts only if all that its record speaks of is there: a pod may have been lost
    while its outputs were on their way.
    """
    found = {}
    for step in graph.steps:
        folder = step_prefix(prefix, step.key)
        by_pod: dict[str, list[Entry]] = {}
        for entry in store.list(f"{folder}/"):
            if entry.key.endswith("/"):  # consoles mark folders by empty objects
                continue
            pod = entry.key.removeprefix(f"{folder}/").partition("/")[0]
            by_pod.setdefault(pod, []).append(entry)
        for pod, entries in sorted(by_pod.items()):
            keys = _outputs(store, step, f"{folder}/{pod}", entries)
            if keys:
                found[step.key] = keys
                break
    return found


def _outputs(store: Store, step: Step, folder: str, entries: list[Entry]) -> OutputKeys | None:
    """Keys of an attempt's outputs by port, None if they are not whole."""
    sizes: dict[str, list[int]] = {}
    keys: dict[str, str] = {}
    for entry in entries:
        name = entry.key.removeprefix(f"{folder}/").partition("/")[0]
        port = RECORD_PORT if name == "step.json" else name.partition(".")[0]
        keys[port] = f"{folder}/{name}"
        sizes.setdefault(port, []).append(entry.size)
    if RECORD_PORT not in keys:
        return None
    record = read_record(store, keys[RECORD_PORT])
    if record.get("key") != step.key:
        return None
    for port in step.operator.outputs:
        there = sizes.get(port, [])
        if record.get("outputs", {}).get(port) != {"files": len(there), "bytes": sum(there)}:
            return None
    return keys


def read_record(store: Store, key: str) -> dict[str, Any]:
    """Read a step's record; empty if it is none."""
    try:
        record = json.loads(store.read(key)[0])
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def download_result(
    store: Store, keys: Mapping[str, str], folder: Path, progress: Progress = silent
) -> None:
    """Fetch a run's products into `folder`, which appears whole or not at all.

    Parameters
    ----------
    store
        The whole bucket, without a prefix.
    keys
        Key of each product by its path below `folder`.
    """
    with new_folder(folder) as whole:
        for path, key in keys.items():
            target = whole / path
            try:
                remote = look(store, key)
                if remote.is_object:
                    store.get(key, target)
                else:
                    download_folder(store, key, target, progress)
            except (InputError, NotFoundError):
                raise RunError(
                    f"{path} is not at {store.url}/{key}: was it deleted, or does the cluster's "
                    "artifact repository name another bucket? lamflow doctor --context NAME"
                ) from None


def read_text(store: Store, key: str) -> str | None:
    """Read a log; None if it is not there."""
    try:
        return store.read(key)[0].decode("utf-8", "replace")
    except NotFoundError:
        return None
