"""What made a version: the tree from a model over datasets down to source files.

Datasets are joined by their content: a dataset that a run started from is the registered one whose
files have the same hash, whatever either is called.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from lamflow.registry.names import Kind
from lamflow.registry.registry import Registry
from lamflow.registry.release import Ancestor, DatasetContent, ModelContent, Release

NodeKind = Literal["model", "dataset", "file", "source"]
_BRANCH, _LAST, _PIPE, _BLANK = "├── ", "└── ", "│   ", "    "
_SHORT = 12
FEW_FILES = 8
"""So many source files of a dataset are shown; the others are counted."""


@dataclass(frozen=True)
class Node:
    """One thing in a lineage.

    Attributes
    ----------
    kind
        What it is.
    title
        ``name@version`` if it is registered, else its name.
    detail
        A few words to it.
    sha256
        Hash of its content; empty for the words of a card about a source.
    children
        What it was made from.
    """

    kind: NodeKind
    title: str
    detail: str = ""
    sha256: str = ""
    children: tuple["Node", ...] = ()


def lineage(registry: Registry, kind: Kind, reference: str, few: int = FEW_FILES) -> Node:
    """Return what a version was made from.

    Parameters
    ----------
    registry
        Where it is.
    kind, reference
        Which version.
    few
        How many source files of each dataset to show; the rest become one node with their number.

    Raises
    ------
    InputError
        If there is no such version.
    """
    return _Tracer(registry, few).trace(registry.release(kind, reference))


class _Tracer:
    """Finds parents; each dataset is looked up by its hash."""

    def __init__(self, registry: Registry, few: int) -> None:
        self._registry = registry
        self._few = few

    def trace(self, release: Release) -> Node:
        content = release.content
        if isinstance(content, DatasetContent):
            return self._registered(release, {}, frozenset())
        return self._model(release, content, frozenset())

    @cached_property
    def _datasets(self) -> Mapping[str, Release]:
        return datasets_by_content(self._registry)

    def _model(self, release: Release, content: ModelContent, above: frozenset[str]) -> Node:
        above |= {release.sha256}
        known = {ancestor.sha256: ancestor for ancestor in content.ancestors}
        children = [
            self._parent_model(reference, sha256, above)
            for reference, sha256 in content.parents.items()
        ]
        children += [
            self._dataset(name, head.sha256, known, above)
            for name, head in content.card.heads.items()
        ]
        heads = len(content.card.heads)
        detail = f"{heads} {'head' if heads == 1 else 'heads'}, {content.card.steps} steps"
        return Node("model", str(release), detail, release.sha256, tuple(children))

    def _parent_model(self, reference: str, sha256: str, above: frozenset[str]) -> Node:
        release = self._registry.release("model", reference)
        if sha256 in above or not isinstance(release.content, ModelContent):
            return Node("model", reference, "", sha256)
        return self._model(release, release.content, above)

    def _dataset(
        self, name: str, sha256: str, known: Mapping[str, Ancestor], above: frozenset[str]
    ) -> Node:
        if sha256 in above:
            return Node("dataset", name, "comes from itself: a card is wrong", sha256)
        if sha256 in self._datasets:
            return self._registered(self._datasets[sha256], known, above | {sha256})
        ancestor = known.get(sha256)
        if ancestor is None:
            return Node("dataset", name, "not in this registry", sha256)
        children = [
            self._dataset(parent, parent_sha256, known, above | {sha256})
            for parent, parent_sha256 in ancestor.parents.items()
        ]
        if not children:
            children = list(_source(ancestor.source, ancestor.licence))
        detail = "" if ancestor.frames is None else f"{ancestor.frames} frames"
        return Node("dataset", ancestor.name, detail, sha256, tuple(children))

    def _registered(
        self, release: Release, known: Mapping[str, Ancestor], above: frozenset[str]
    ) -> Node:
        content = release.content
        if not isinstance(content, DatasetContent):
            raise TypeError(f"{release} is no dataset")
        children = [
            self._dataset(name, sha256, known, above | {content.card.sha256})
            for name, sha256 in content.card.parents.items()
        ]
        children += self._files(content)
        children += _source(content.card.source, content.card.licence)
        detail = f"{content.card.frames} frames"
        return Node("dataset", str(release), detail, content.card.sha256, tuple(children))

    def _files(self, content: DatasetContent) -> Iterator[Node]:
        data = {name: part for name, part in content.parts.items() if name != "card.json"}
        shown = len(data) if len(data) <= self._few + 1 else self._few
        for name, part in list(data.items())[:shown]:
            yield Node("file", name, _bytes(part.size), part.sha256)
        if rest := list(data.values())[shown:]:
            words = f"{len(rest)} more files" if shown else f"{len(rest)} files"
            yield Node("file", words, _bytes(sum(part.size for part in rest)))


def datasets_by_content(registry: Registry) -> dict[str, Release]:
    """Return all registered datasets by the hash of their files; of equal ones the first."""
    found: dict[str, Release] = {}
    for name in registry.names("dataset"):
        for release in registry.releases("dataset", name):
            for sha256 in _hashes(release):
                found.setdefault(sha256, release)
    return found


def _hashes(release: Release) -> Iterable[str]:
    """Return the hashes by which a run may know a dataset: of the folder, or of its one file."""
    content = release.content
    if not isinstance(content, DatasetContent):
        return ()
    data = [part.sha256 for name, part in content.parts.items() if name != "card.json"]
    return {content.card.sha256, *(data if len(data) == 1 else ())}


def _source(source: str, licence: str) -> Iterator[Node]:
    if source:
        yield Node("source", source, licence)


def _bytes(size: int) -> str:
    """Write a size as people do."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def tree_lines(node: Node) -> Iterator[str]:
    """Write a lineage as an indented tree, a line for each node."""
    yield _line(node)
    yield from _below(node, "")


def _below(node: Node, indent: str) -> Iterator[str]:
    for index, child in enumerate(node.children):
        last = index == len(node.children) - 1
        yield indent + (_LAST if last else _BRANCH) + _line(child)
        yield from _below(child, indent + (_BLANK if last else _PIPE))


def _line(node: Node) -> str:
    words = [f"{node.kind} {node.title}", node.detail]
    if node.sha256:
        words.append(f"sha256 {node.sha256[:_SHORT]}")
    return "  ".join(word for word in words if word)


def node_to_json(node: Node) -> dict[str, object]:
    """Write a lineage as plain data."""
    return {
        "kind": node.kind,
        "title": node.title,
        "detail": node.detail,
        "sha256": node.sha256,
        "children": [node_to_json(child) for child in node.children],
    }
