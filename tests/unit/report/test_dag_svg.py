import pytest

from lamflow.report.dag_svg import NODE_HEIGHT, NODE_WIDTH, lay_out
from lamflow.report.model import StepRecord


def steps(**needs):
    return [StepRecord(name, "op", tuple(parents)) for name, parents in needs.items()]


def places(drawing):
    return {node.step.name: (node.x, node.y) for node in drawing.nodes}


def test_a_step_stands_below_all_that_it_needs():
    drawing = lay_out(steps(a=(), b=("a",), c=("a",), d=("b", "c")))
    at = places(drawing)
    assert at["a"][1] < at["b"][1] == at["c"][1] < at["d"][1]
    assert at["a"][0] == at["d"][0]  # centred over its two users
    assert len(drawing.arrows) == 4


def test_boxes_are_inside_and_do_not_overlap():
    many = {f"e{i}": ("a",) for i in range(5)}
    drawing = lay_out(steps(a=(), **many, z=tuple(many)))
    at = list(places(drawing).values())
    assert all(0 <= x <= drawing.width - NODE_WIDTH for x, _ in at)
    assert all(0 <= y <= drawing.height - NODE_HEIGHT for _, y in at)
    for i, (x, y) in enumerate(at):
        for x2, y2 in at[:i]:
            assert abs(x - x2) >= NODE_WIDTH or abs(y - y2) >= NODE_HEIGHT


def test_arrows_that_others_imply_are_left_out():
    assert len(lay_out(steps(a=(), b=("a",), c=("a", "b"))).arrows) == 2


def test_a_late_input_stands_just_before_its_user():
    at = places(lay_out(steps(a=(), b=("a",), c=("b",), extra=(), d=("c", "extra"))))
    assert at["extra"][1] == at["c"][1]


def test_parents_in_the_other_order_do_not_cross():
    at = places(lay_out(steps(a=(), b=(), x=("b",), y=("a",), z=("x", "y"))))
    assert (at["a"][0] < at["b"][0]) == (at["y"][0] < at["x"][0])


def test_wide_graphs_run_from_left_to_right():
    many = {f"e{i}": ("a",) for i in range(30)}
    drawing = lay_out(steps(a=(), **many))
    assert drawing.width < drawing.height
    assert places(drawing)["a"][0] < places(drawing)["e0"][0]


def test_unknown_needs_are_ignored():
    assert lay_out(steps(a=("gone",))).arrows == ()


def test_no_steps():
    assert lay_out([]).nodes == ()


def test_a_circle_is_refused():
    with pytest.raises(ValueError, match="in a circle: a, b"):
        lay_out(steps(a=("b",), b=("a",)))
