"""Place the steps of a run for drawing: a layered layout.

Layers are by longest path to the last step, so that each step stands just before the first one
that needs it; within a layer steps stand at the mean position of their neighbours (the
barycentre rule of Sugiyama et al., IEEE Trans. SMC 11, 109 (1981)).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lamflow.report.model import StepRecord

NODE_WIDTH, NODE_HEIGHT = 132.0, 42.0
GAP_ALONG, GAP_ACROSS = 34.0, 14.0
_WIDEST_DOWNWARDS = 6
_SWEEPS = 4

Needs = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Node:
    """A step's box: upper left corner `x`, `y` in user units."""

    step: StepRecord
    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """A placed graph: the picture's size, boxes, and the SVG path of each arrow."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    arrows: tuple[str, ...]


def lay_out(steps: Sequence[StepRecord]) -> Drawing:
    """Place `steps`: downwards if the graph is narrow, else from left to right.

    An arrow that others imply is left out. Needs that name no step are ignored.

    Raises
    ------
    ValueError
        If the steps need each other in a circle.
    """
    needs = _reduced(steps)
    layers = _ordered(_layers(needs), needs)
    widest = max((len(layer) for layer in layers), default=0)
    downwards = widest <= _WIDEST_DOWNWARDS
    along = (NODE_HEIGHT if downwards else NODE_WIDTH) + GAP_ALONG
    across = (NODE_WIDTH if downwards else NODE_HEIGHT) + GAP_ACROSS
    records = {step.name: step for step in steps}
    nodes = {}
    for depth, layer in enumerate(layers):
        offset = (widest - len(layer)) / 2
        for place, name in enumerate(layer):
            a, b = depth * along, (offset + place) * across
            nodes[name] = Node(records[name], *((b, a) if downwards else (a, b)))
    arrows = [
        _arrow(nodes[parent], nodes[name], downwards)
        for name in records
        for parent in sorted(needs[name])
    ]
    length, breadth = len(layers) * along - GAP_ALONG, widest * across - GAP_ACROSS
    width, height = (breadth, length) if downwards else (length, breadth)
    return Drawing(max(0.0, width), max(0.0, height), tuple(nodes.values()), tuple(arrows))


def _reduced(steps: Sequence[StepRecord]) -> Needs:
    """Return each step's needs without those that another need already implies."""
    names = {step.name for step in steps}
    direct = {step.name: frozenset(step.needs) & names for step in steps}
    above: dict[str, frozenset[str]] = {}
    waiting = dict(direct)
    while waiting:
        ready = [name for name, parents in waiting.items() if parents <= above.keys()]
        if not ready:
            raise ValueError(f"steps need each other in a circle: {', '.join(sorted(waiting))}")
        for name in ready:
            parents = waiting.pop(name)
            above[name] = parents.union(*(above[parent] for parent in parents))
    return {
        name: frozenset(p for p in parents if not any(p in above[other] for other in parents))
        for name, parents in direct.items()
    }


def _layers(needs: Needs) -> list[list[str]]:
    users: dict[str, list[str]] = {name: [] for name in needs}
    for name, parents in needs.items():
        for parent in parents:
            users[parent].append(name)
    height: dict[str, int] = {}
    while len(height) < len(needs):
        for name in needs:
            if name not in height and all(user in height for user in users[name]):
                height[name] = 1 + max((height[user] for user in users[name]), default=-1)
    top = max(height.values(), default=-1)
    layers: list[list[str]] = [[] for _ in range(top + 1)]
    for name in needs:
        layers[top - height[name]].append(name)
    return layers


def _ordered(layers: list[list[str]], needs: Needs) -> list[list[str]]:
    for sweep in range(_SWEEPS):
        place = {name: index for layer in layers for index, name in enumerate(layer)}
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            mean = {name: _mean_place(name, needs, place, upwards=sweep % 2 == 1) for name in layer}
            layer.sort(key=mean.__getitem__)  # stable: ties keep the run's order
            place.update({name: index for index, name in enumerate(layer)})
    return layers


def _mean_place(name: str, needs: Needs, place: Mapping[str, int], *, upwards: bool) -> float:
    near = [user for user, parents in needs.items() if name in parents] if upwards else needs[name]
    places = [place[other] for other in near]
    return sum(places) / len(places) if places else float(place[name])


def _arrow(parent: Node, child: Node, downwards: bool) -> str:
    if downwards:
        x0, y0 = parent.x + NODE_WIDTH / 2, parent.y + NODE_HEIGHT
        x1, y1 = child.x + NODE_WIDTH / 2, child.y
        middle = (y0 + y1) / 2
        return f"M{x0:g} {y0:g}C{x0:g} {middle:g} {x1:g} {middle:g} {x1:g} {y1:g}"
    x0, y0 = parent.x + NODE_WIDTH, parent.y + NODE_HEIGHT / 2
    x1, y1 = child.x, child.y + NODE_HEIGHT / 2
    middle = (x0 + x1) / 2
    return f"M{x0:g} {y0:g}C{middle:g} {y0:g} {middle:g} {y1:g} {x1:g} {y1:g}"
