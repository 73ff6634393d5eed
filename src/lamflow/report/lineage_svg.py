"""Draw what a version was made from: sources above, the version below."""

from collections.abc import Iterator

from markupsafe import Markup

from lamflow.registry.lineage import Node
from lamflow.report import dag_svg
from lamflow.report.html import render
from lamflow.report.model import StepRecord

_LETTERS = 17


def lineage_svg(node: Node) -> str:
    """Draw a lineage as an SVG file that needs nothing beside it."""
    return _render(node, standalone=True)


def lineage_markup(node: Node) -> Markup:
    """Draw a lineage as an SVG for a page that has the reports' styles."""
    return Markup(_render(node, standalone=False))  # noqa: S704  # the template escapes all values


def _render(node: Node, *, standalone: bool) -> str:
    nodes = _distinct(node)
    steps = [
        StepRecord(key, one.kind, tuple(_key(child) for child in one.children))
        for key, one in nodes.items()
    ]
    return render(
        "lineage.svg.j2",
        drawing=dag_svg.lay_out(steps),
        nodes=nodes,
        labels={key: _label(one) for key, one in nodes.items()},
        title=node.title,
        size=(dag_svg.NODE_WIDTH, dag_svg.NODE_HEIGHT),
        standalone=standalone,
    ).strip()


def _label(node: Node) -> str:
    """Shorten a title to a box; of a registered name the end counts, with the version."""
    if len(node.title) <= _LETTERS:
        return node.title
    if node.kind not in ("model", "dataset"):
        return f"{node.title[: _LETTERS - 1]}…"
    last = node.title.rpartition("/")[2]
    return last if len(last) <= _LETTERS else f"…{last[1 - _LETTERS :]}"


def _distinct(node: Node) -> dict[str, Node]:
    """Return all nodes by key: what is reached on two ways is drawn once."""
    found: dict[str, Node] = {}
    for one in _walk(node):
        old = found.get(_key(one))
        if old is None or len(one.children) > len(old.children):
            found[_key(one)] = one
    return found


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _key(node: Node) -> str:
    return f"{node.kind} {node.sha256 or f'{node.title} {node.detail}'}"
