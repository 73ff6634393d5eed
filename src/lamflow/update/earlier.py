"""Data that a model has learnt from and was tested on, found in the registry by their content."""

from functools import cached_property
from pathlib import Path

from lamflow.errors import InputError, Problem
from lamflow.registry.lineage import datasets_by_content
from lamflow.registry.local_copy import cached
from lamflow.registry.registry import Registry
from lamflow.registry.release import ModelContent, Release


class EarlierData:
    """Fetches datasets of a registry by the hash of their files.

    Parameters
    ----------
    registry
        Where they are.
    cache
        Where copies go; default: the user's cache.
    """

    def __init__(self, registry: Registry, cache: Path | None = None) -> None:
        self._registry = registry
        self._cache = cache

    @cached_property
    def _known(self) -> dict[str, Release]:
        return datasets_by_content(self._registry)

    def folder(self, sha256: str, what: str) -> Path:
        """Return a local folder with a dataset's files, each compared with its hash.

        Raises
        ------
        InputError
            There is none of this content; `what` tells in the message what is missing.
        """
        if sha256 not in self._known:
            raise InputError(Problem("", what, f"not in the registry (sha256 {sha256[:12]})"))
        return cached(self._registry, self._known[sha256], self._cache)

    def train(self, content: ModelContent, head: str) -> Path:
        """Return the frames that taught a head."""
        return self.folder(content.card.heads[head].sha256, f"training data of head {head}")


def missing_data(registry: Registry, content: ModelContent) -> list[str]:
    """Say which data of a model are not in the registry: without them it can't be updated."""
    known = datasets_by_content(registry)
    missing = [
        f"training data of head {name}"
        for name, head in content.card.heads.items()
        if head.sha256 not in known
    ]
    tested = {result.head for result in content.results if result.sha256 in known}
    missing += [f"a test set of head {name}" for name in content.card.heads if name not in tested]
    return missing
