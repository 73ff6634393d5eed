"""Graphs as plain data: keys, ports, order."""

from pathlib import Path

import pytest

from lamflow.engine.dflow_graph import task_json
from lamflow.engine.graph import Graph, Source, graph_from_json, graph_to_json
from lamflow.errors import InputError
from lamflow.testing.toy_operators import AppendParams, WriteParams, append, write


def diamond(text: str = "a", tail: str = "d", digest: str = "0") -> Graph:
    graph = Graph("toy", "diamond")
    source = Source("/somewhere", digest)
    top = graph.add("Top_Step", write, WriteParams(text=text))
    left = graph.add("left", append, AppendParams(text="l"), {"first": top["text"]})
    right = graph.add(
        "right", append, AppendParams(text="r"), {"first": source}, {"more": {"x": top["text"]}}
    )
    more = {"l": left["text"], "r": right["text"]}
    bottom = graph.add("bottom", append, AppendParams(text=tail), groups={"more": more})
    graph.results["all.txt"] = bottom["text"]
    return graph


def keys(graph: Graph) -> dict[str, str]:
    return {step.name: step.key for step in graph.steps}


def changed(one: Graph, other: Graph) -> set[str]:
    return {name for name, key in keys(one).items() if keys(other)[name] != key}


def test_keys_are_the_same_each_time_and_name_the_step() -> None:
    assert keys(diamond()) == keys(diamond())
    assert all(key.startswith(f"{name}-") for name, key in keys(diamond()).items())


def test_names_fit_kubernetes() -> None:
    assert [step.name for step in diamond().steps] == ["top-step", "left", "right", "bottom"]


@pytest.mark.parametrize(
    ("other", "redone"),
    [
        (diamond(text="b"), {"top-step", "left", "right", "bottom"}),
        (diamond(tail="e"), {"bottom"}),
        (diamond(digest="1"), {"right", "bottom"}),
    ],
)
def test_a_change_reaches_exactly_what_depends_on_it(other: Graph, redone: set[str]) -> None:
    assert changed(diamond(), other) == redone


def test_location_of_the_same_content_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("same")
    (tmp_path / "b").write_text("same")
    assert Source.local(tmp_path / "a").identity == Source.local(tmp_path / "b").identity


def test_json_and_back_gives_the_same_graph() -> None:
    graph = diamond()
    again = graph_from_json(graph_to_json(graph))
    assert keys(again) == keys(graph)
    assert again.results["all.txt"].step.key == graph.results["all.txt"].step.key


def test_dependents_are_found_and_unknown_names_refused() -> None:
    found = [step.name for step in diamond().dependents(["right"])]
    assert found == ["right", "bottom"]
    with pytest.raises(InputError, match=r"rihgt: no such step; steps: top-step, left"):
        diamond().dependents(["rihgt"])


def test_wrong_ports_and_names_are_refused() -> None:
    graph = diamond()
    with pytest.raises(ValueError, match="two steps are called 'left'"):
        graph.add("left", write, WriteParams(text=""))
    with pytest.raises(ValueError, match="no such input port: second"):
        graph.add("x", append, AppendParams(), {"second": graph.steps[0]["text"]})
    with pytest.raises(KeyError, match="has no output 'words'"):
        graph.steps[0]["words"]


def test_text_that_engines_would_expand_is_hidden_from_them() -> None:
    graph = Graph("toy", "x")
    step = graph.add("a", write, WriteParams(text="{{workflow.name}} {{{ {{="))
    text = task_json(step)
    assert "{{" not in text
    assert '"text": "{\\u007bworkflow.name}} {\\u007b{ {\\u007b="' in text
