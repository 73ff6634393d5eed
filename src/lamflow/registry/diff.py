"""What differs between two versions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lamflow.registry.release import ModelContent, Release

_LONG = {"parts", "ancestors", "results", "config"}  # told in their own ways, or too long to tell


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same.

    Attributes
    ----------
    key
        Dotted key in the card, ``file PATH``, or ``TEST SET/HEAD error``.
    old, new
        The values; None where there is none.
    """

    key: str
    old: Any
    new: Any


def diff_releases(old: Release, new: Release) -> list[Difference]:
    """Compare cards, files and errors of two versions of one kind; equal things are left out."""
    found = [
        *_compare(_flat(_card(old)), _flat(_card(new))),
        *_compare(_files(old), _files(new)),
        *_compare(_errors(old), _errors(new)),
    ]
    if _config(old) != _config(new):
        found.append(Difference("config", f"{_lines(old)} lines", f"{_lines(new)} lines"))
    return found


def _compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            yield Difference(key, old.get(key), new.get(key))


def _card(release: Release) -> dict[str, Any]:
    content = release.content.model_dump(mode="json", exclude=_LONG)
    content["card"].pop("files", None)  # told with the files
    return content


def _files(release: Release) -> dict[str, str]:
    parts = release.content.parts
    return {f"file {name}": f"{p.sha256[:12]} ({p.size} bytes)" for name, p in parts.items()}


def _errors(release: Release) -> dict[str, float | None]:
    if not isinstance(release.content, ModelContent):
        return {}
    return {
        f"{result.test_set}/{result.head} {key}": value
        for result in release.content.results
        for key, value in result.errors.items()
    }


def _config(release: Release) -> str:
    return release.content.config if isinstance(release.content, ModelContent) else ""


def _lines(release: Release) -> int:
    return len(_config(release).splitlines())


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by dotted key; a list is a leaf."""
    leaves: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            leaves |= _flat(item, f"{prefix}{key}.")
        elif isinstance(item, Sequence) and not isinstance(item, str):
            leaves[f"{prefix}{key}"] = " ".join(map(str, item))
        else:
            leaves[f"{prefix}{key}"] = item
    return leaves
