"""Models and datasets with versions that never change, on any store.

    parts/ab/abcd…                       the bytes of one file, under their SHA-256
    models/NAME/@versions/7.json         what version 7 is: its card and which parts it has
    models/NAME/@tags/latest.json        which version a tag means

A version is there when its record is, and the record is written last, by a conditional write: of
several publishers of one number exactly one gets it, the others take the next. A publisher that
dies leaves parts that nothing names, and no version.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from lamflow.config.document import suggest
from lamflow.errors import InputError, Problem
from lamflow.progress import Progress, silent
from lamflow.registry.names import Kind, Reference, check_tag, parse_reference
from lamflow.registry.parts import fetch_parts, send_parts
from lamflow.registry.release import (
    DatasetContent,
    ModelContent,
    Release,
    content_sha256,
    release_from_bytes,
    release_to_bytes,
)
from lamflow.store.protocol import CorruptError, ExistsError, NotFoundError, Store

_VERSIONS, _TAGS = "@versions", "@tags"  # '@' is in no name, so that a/b can stand beside a


def _now() -> datetime:
    return datetime.now(UTC)


class Registry:
    """The registry that lies in `store`.

    Parameters
    ----------
    store
        Needs conditional writes for publishing and tags, not for reading.
    now
        The clock for `Release.published`; nothing depends on it.
    """

    def __init__(self, store: Store, now: Callable[[], datetime] = _now) -> None:
        self.store = store
        self._now = now

    def publish(
        self,
        content: ModelContent | DatasetContent,
        files: Mapping[str, Path],
        progress: Progress = silent,
    ) -> Release:
        """Publish `content` as the next version of its name.

        What is published already, with the same content, is not published again: its version is
        returned. So publishing can be repeated after any failure.

        Parameters
        ----------
        content
            Card and parts; `parts` as `describe_parts` gives it for `files`.
        files
            Path in the version to local file.
        progress
            Is told bytes.

        Raises
        ------
        InputError
            A file was changed while it was published.
        UnsupportedError
            The store has no conditional writes.
        """
        if files.keys() != content.parts.keys():
            raise ValueError("files and the content's parts differ")
        _check_conditions(self.store)
        send_parts(self.store, content.parts, files, progress)
        digest = content_sha256(content)
        last = 0
        for last in self.versions(content.kind, content.name):
            if known := self._known(content.kind, content.name, last, digest):
                return known
        published = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        while True:
            last += 1
            release = Release(version=last, sha256=digest, published=published, content=content)
            key = _version_key(content.kind, content.name, last)
            try:
                self.store.create(key, release_to_bytes(release))
            except ExistsError:
                if known := self._known(content.kind, content.name, last, digest):
                    return known
            else:
                return release

    def names(self, kind: Kind) -> list[str]:
        """Return all names that have a version."""
        found = set()
        for entry in self.store.list(f"{kind}s/"):
            name, _, rest = entry.key.removeprefix(f"{kind}s/").partition(f"/{_VERSIONS}/")
            if rest:
                found.add(name)
        return sorted(found)

    def versions(self, kind: Kind, name: str) -> list[int]:
        """Return the version numbers of a name, in order."""
        stems = (
            entry.key.rpartition("/")[2].removesuffix(".json")
            for entry in self.store.list(f"{kind}s/{name}/{_VERSIONS}/")
        )
        return sorted(int(stem) for stem in stems if stem.isdecimal())

    def releases(self, kind: Kind, name: str) -> list[Release]:
        """Return all versions of a name, in order."""
        return [self._read(kind, name, version) for version in self.versions(kind, name)]

    def release(self, kind: Kind, reference: Reference | str) -> Release:
        """Return one version.

        Raises
        ------
        InputError
            If there is no such name, version or tag.
        """
        if isinstance(reference, str):
            reference = parse_reference(reference)
        at = reference.at
        if isinstance(at, str):
            found = self._tag(kind, reference.name, at)
            if found is None:
                raise self._missing(kind, reference)
            at = found[0]
        try:
            return self._read(kind, reference.name, at)
        except NotFoundError:
            raise self._missing(kind, Reference(reference.name, at)) from None

    def tags(self, kind: Kind, name: str) -> dict[str, int]:
        """Return the tags of a name and the versions that they mean."""
        tags = {}
        for entry in self.store.list(f"{kind}s/{name}/{_TAGS}/"):
            tag = entry.key.rpartition("/")[2].removesuffix(".json")
            found = self._tag(kind, name, tag)
            if found is not None:
                tags[tag] = found[0]
        return tags

    def move_tag(
        self, kind: Kind, name: str, tag: str, version: int, *, only_forward: bool = False
    ) -> int | None:
        """Let `tag` mean `version`; return what it meant before.

        Parameters
        ----------
        kind, name, tag
            Which tag.
        version
            Must exist.
        only_forward
            Leave the tag where it is if it means a later version: of several that publish at
            once, the last version keeps `latest`.

        Raises
        ------
        InputError
            If there is no such version.
        """
        key = _tag_key(kind, name, check_tag(tag))
        self.release(kind, Reference(name, version))
        content = json.dumps({"version": version}).encode()
        while True:
            old = self._tag(kind, name, tag)
            if old is not None and (old[0] == version or (only_forward and old[0] > version)):
                return old[0]
            try:
                if old is None:
                    self.store.create(key, content)
                    return None
                self.store.replace(key, content, old[1])
            except ExistsError:
                continue  # moved by another meanwhile: look again
            return old[0]

    def pull(self, release: Release, folder: Path, progress: Progress = silent) -> Path:
        """Fetch a version's files into `folder`, which appears whole, with all hashes right.

        What was fetched before a cut waits beside `folder` and is not fetched again.

        Raises
        ------
        InputError
            `folder` exists.
        NotFoundError, CorruptError
            A part is gone or damaged in the store.
        """
        if folder.exists():
            raise InputError(Problem(str(folder), "", "is there already; name a new folder"))
        waiting = folder.parent / f".{folder.name}.{release.sha256[:12]}.part"
        fetch_parts(self.store, release.content.parts, waiting, progress)
        waiting.replace(folder)
        return folder

    def _known(self, kind: Kind, name: str, version: int, digest: str) -> Release | None:
        """Return a version if it has this content; a damaged record keeps its number."""
        try:
            release = self._read(kind, name, version)
        except CorruptError:
            return None
        return release if release.sha256 == digest else None

    def _read(self, kind: Kind, name: str, version: int) -> Release:
        key = _version_key(kind, name, version)
        release = release_from_bytes(self.store.read(key)[0], f"{self.store.url}/{key}")
        if (release.content.kind, release.name, release.version) != (kind, name, version):
            raise CorruptError(f"{self.store.url}/{key} is the record of {release}")
        return release

    def _tag(self, kind: Kind, name: str, tag: str) -> tuple[int, str] | None:
        key = _tag_key(kind, name, tag)
        try:
            content, state = self.store.read(key)
        except NotFoundError:
            return None
        try:
            return int(json.loads(content)["version"]), state
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptError(f"{self.store.url}/{key} is damaged: {error}") from error

    def known_name(self, kind: Kind, name: str) -> str:
        """Return `name` if it has a version; InputError with what there is if not."""
        if not self.versions(kind, name):
            hint = suggest(name, self.names(kind))
            hint = hint or f"; lamflow {kind}s list shows those there are"
            raise InputError(Problem(name, "", f"no {kind} of this name in {self.store.url}{hint}"))
        return name

    def _missing(self, kind: Kind, reference: Reference) -> InputError:
        versions = self.versions(kind, self.known_name(kind, reference.name))
        numbers = "1" if versions == [1] else f"1 to {versions[-1]}"
        there = ", ".join([numbers, *self.tags(kind, reference.name)])
        return InputError(Problem(str(reference), "", f"no such version; there are: {there}"))


def _check_conditions(store: Store) -> None:
    """Find out before a long upload whether the store has conditional writes."""
    with suppress(ExistsError, NotFoundError):
        store.replace("@probe", b"", "no version")  # always refused where conditions are heeded


def _version_key(kind: Kind, name: str, version: int) -> str:
    return f"{kind}s/{name}/{_VERSIONS}/{version}.json"


def _tag_key(kind: Kind, name: str, tag: str) -> str:
    return f"{kind}s/{name}/{_TAGS}/{tag}.json"
