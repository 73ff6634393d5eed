"""Where contributors put datasets, and what became of each.

    inbox/NAME/…                    a dataset; complete when its manifest is there, which is last
    inbox-outcomes/NAME/SHA256.json what became of exactly these files
    inbox-alone/NAME/SHA256         these files spoilt an update together with others

A dataset is looked at once: its outcome is kept under the hash of its files, so that the same files
are never done twice and changed ones are new.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lamflow.config.base import StrictModel
from lamflow.errors import InputError, Problem
from lamflow.progress import Progress, silent
from lamflow.registry.names import check_name
from lamflow.store.folders import (
    MANIFEST,
    Manifest,
    download_folder,
    stored_manifest,
    upload_folder,
)
from lamflow.store.protocol import CorruptError, ExistsError, NotFoundError, Store

INBOX = "inbox"
_OUTCOMES = "inbox-outcomes"
_ALONE = "inbox-alone"


class Outcome(StrictModel):
    """What became of a dataset in the inbox."""

    name: str
    """Name in the inbox."""
    sha256: str
    """Hash over its files."""
    decision: Literal["published", "covered", "quarantined", "stopped"]
    """published: a model version came of it; covered: nothing new in it; quarantined: it is not
    good; stopped: the release gate refused the model that came of it."""
    reason: str = ""
    """Why, in words."""
    release: str | None = None
    """The model version that came of it."""
    report: str | None = None
    """Key of the report about it."""


@dataclass(frozen=True)
class Item:
    """A dataset in the inbox.

    Attributes
    ----------
    name
        The folder's.
    manifest
        Its files; None while the upload goes on, or if the manifest is damaged.
    outcome
        What became of these files; None if they are new.
    fault
        What is wrong with the manifest.
    """

    name: str
    manifest: Manifest | None = None
    outcome: Outcome | None = None
    fault: str = ""

    @property
    def is_new(self) -> bool:
        """Whether it is complete and nobody has looked at it."""
        return self.manifest is not None and self.outcome is None

    @property
    def key(self) -> str:
        """Where its files are."""
        return f"{INBOX}/{self.name}"


def submit(store: Store, folder: Path, name: str, progress: Progress = silent) -> Item:
    """Upload a dataset into the inbox; it counts once its last file is there.

    Raises
    ------
    InputError
        There is no such folder, or the name can't be one.
    """
    if "/" in check_name(name):
        raise InputError(Problem(repr(name), "", "a name in the inbox has no '/'"))
    manifest = upload_folder(store, folder, f"{INBOX}/{name}", progress)
    return Item(name, manifest, outcome_of(store, name, manifest.sha256))


def scan(store: Store) -> Iterator[Item]:
    """Look at all datasets in the inbox, in the order of their names.

    `Item.is_new` tells which wait for an update.
    """
    names = {
        entry.key.removeprefix(f"{INBOX}/").partition("/")[0]
        for entry in store.list(f"{INBOX}/")
        if entry.key.count("/") > 1
    }
    for name in sorted(names):
        yield find(store, name)


def find(store: Store, name: str) -> Item:
    """Look at one dataset in the inbox; one that is not there has no manifest."""
    if store.stat(f"{INBOX}/{name}/{MANIFEST}") is None:
        return Item(name)
    try:
        manifest = stored_manifest(store, f"{INBOX}/{name}")
    except CorruptError as error:
        return Item(name, fault=str(error))
    return Item(name, manifest, outcome_of(store, name, manifest.sha256))


def fetch(store: Store, item: Item, folder: Path, progress: Progress = silent) -> Path:
    """Fetch a dataset of the inbox, each file compared with its hash.

    Raises
    ------
    CorruptError
        A file is not what the manifest says, or the manifest is not the one that was scanned.
    """
    manifest = download_folder(store, item.key, folder, progress)
    if item.manifest is None or manifest.sha256 != item.manifest.sha256:
        raise CorruptError(f"{store.url}/{item.key} was changed while it was fetched")
    return folder


def conclude(store: Store, outcome: Outcome) -> Outcome:
    """Keep what became of a dataset; the first outcome stays, and is returned."""
    key = _outcome_key(outcome.name, outcome.sha256)
    try:
        store.create(key, outcome.model_dump_json(indent=1).encode())
    except ExistsError:
        return outcome_of(store, outcome.name, outcome.sha256) or outcome
    return outcome


def set_alone(store: Store, name: str, sha256: str) -> None:
    """Let the next update that takes these files take nothing else."""
    store.write(f"{_ALONE}/{name}/{sha256}", b"")


def is_alone(store: Store, name: str, sha256: str) -> bool:
    """Whether these files are to be taken alone."""
    return store.stat(f"{_ALONE}/{name}/{sha256}") is not None


def _outcome_key(name: str, sha256: str) -> str:
    return f"{_OUTCOMES}/{name}/{sha256}.json"


def outcome_of(store: Store, name: str, sha256: str) -> Outcome | None:
    """Return what became of these files; None if nobody has looked at them."""
    key = _outcome_key(name, sha256)
    try:
        return Outcome.model_validate_json(store.read(key)[0])
    except NotFoundError:
        return None
    except ValueError as error:
        raise CorruptError(f"{store.url}/{key} is no outcome: {error}") from error
