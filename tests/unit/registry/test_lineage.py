"""From a model down to source files."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from registry_runs import write_run

from lamflow.registry.datasets import add_dataset
from lamflow.registry.diff import diff_releases
from lamflow.registry.lineage import Node, lineage, node_to_json, tree_lines
from lamflow.registry.models import push_model
from lamflow.registry.registry import Registry
from lamflow.report.lineage_svg import lineage_svg


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def test_the_tree_goes_down_to_the_files(registry: Registry, run: Path, dataset: Path) -> None:
    """A dataset is known by its content, though the run called it otherwise."""
    added = add_dataset(registry, dataset, "open/h2o", licence="MIT", source="doi:1")
    push_model(registry, run / "result/model", "open/water", run=run)
    top = lineage(registry, "model", "open/water@1")
    path = [top]
    while path[-1].children:
        path.append(path[-1].children[0])
    assert [node.title for node in path[:4]] == [
        "open/water@1",
        "water-train",
        "water",
        "open/h2o@1",
    ]
    assert path[-1].kind == "file"
    files = [node for node in walk(top) if node.kind == "file"]
    assert {node.sha256 for node in files} == {
        part.sha256 for name, part in added.content.parts.items() if name != "card.json"
    }
    assert [n.title for n in walk(top) if n.kind == "source"] == ["doi:1"]


def test_files_beyond_a_few_are_counted(registry: Registry, dataset: Path) -> None:
    add_dataset(registry, dataset, "open/h2o", licence="MIT")
    files = [
        n.title for n in walk(lineage(registry, "dataset", "open/h2o@1", few=2)) if n.kind == "file"
    ]
    assert len(files) == 3
    assert files[-1].endswith("more files")
    (only,) = lineage(registry, "dataset", "open/h2o@1", few=0).children
    assert only.title == f"{int(files[-1].split()[0]) + 2} files"


def test_what_is_not_registered_is_named(registry: Registry, run: Path) -> None:
    push_model(registry, run / "result/model", "open/water", run=run)
    lines = list(tree_lines(lineage(registry, "model", "open/water@1")))
    assert lines[0].startswith("model open/water@1  1 head, 200 steps  sha256 ")
    assert lines[1].startswith("└── dataset water-train  3 frames  sha256 ")
    assert lines[-1] == "            └── source somewhere  CC0-1.0"


def test_parent_models_are_followed(registry: Registry, run: Path, dataset: Path) -> None:
    push_model(registry, run / "result/model", "open/water", run=run)
    later = write_run(run.parent / "later", {"water": dataset}, weights="more weights")
    push_model(registry, later / "result/model", "open/water", run=later, parents=["open/water@1"])
    top = lineage(registry, "model", "open/water@2")
    assert [child.title for child in top.children] == ["open/water@1", "water-train"]
    assert top.children[0].children
    plain = node_to_json(top)
    assert plain["title"] == "open/water@2"


def test_the_picture_has_each_thing_once(registry: Registry, run: Path, dataset: Path) -> None:
    add_dataset(registry, dataset, "open/h2o", licence="MIT", source="<there> & here")
    push_model(registry, run / "result/model", "open/water", run=run)
    picture = ElementTree.fromstring(lineage_svg(lineage(registry, "model", "open/water@1")))
    titles = [e.text or "" for e in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == len(set(titles))
    assert any("<there> & here" in title for title in titles)


@pytest.mark.parametrize(
    ("title", "label"),
    [
        ("open/water@1", ">open/water@1<"),
        ("openlam/dpa1-tiny@12", ">dpa1-tiny@12<"),
        ("openlam/a-very-long-name-of-a-model@12", ">…me-of-a-model@12<"),
    ],
)
def test_a_box_shows_the_version(title: str, label: str) -> None:
    assert label in lineage_svg(Node("model", title))


def test_a_diff_tells_cards_files_and_errors(registry: Registry, run: Path, dataset: Path) -> None:
    old = push_model(registry, run / "result/model", "open/water", run=run)
    later = write_run(run.parent / "later", {"water": dataset}, weights="2", force_rmse=60.0)
    new = push_model(registry, later / "result/model", "open/water", run=later, labels_bought=7)
    found = {one.key: (one.old, one.new) for one in diff_releases(old, new)}
    assert found["labels_bought"] == (None, 7)
    assert found["card.name"] == ("run", "later")
    assert found["water/water force_rmse_meV_per_A"] == (80.0, 60.0)
    assert "(1 bytes)" in found["file model.pt"][1]
    assert "seed" not in found
    assert diff_releases(old, old) == []
