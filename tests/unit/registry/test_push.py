"""Adding datasets and pushing models."""

import shutil
from pathlib import Path

import pytest
from registry_runs import write_run

from lamflow.data.card import dataset_sha256, make_card, read_card, write_card
from lamflow.data.split import split_dataset
from lamflow.errors import InputError
from lamflow.files import sha256_file, write_json, write_text
from lamflow.registry.datasets import add_data_of_run, add_dataset
from lamflow.registry.models import push_model
from lamflow.registry.registry import Registry
from lamflow.registry.release import DatasetContent, ModelContent
from lamflow.train.model_card import read_model_card, write_model_card
from lamflow.update.earlier import missing_data


def push(registry: Registry, run: Path, **options: object) -> ModelContent:
    release = push_model(registry, run / "result/model", "open/water", run=run, **options)  # type: ignore[arg-type]
    assert isinstance(release.content, ModelContent)
    return release.content


def test_a_dataset_gets_a_card(registry: Registry, dataset: Path, tmp_path: Path) -> None:
    before = sorted(dataset.rglob("*"))
    release = add_dataset(registry, dataset, "open/water", licence="CC0-1.0", dft="PBE")
    assert isinstance(release.content, DatasetContent)
    card = release.content.card
    assert (card.frames, card.elements, card.licence, card.dft) == (4, ("H", "O"), "CC0-1.0", "PBE")
    assert sorted(dataset.rglob("*")) == before
    folder = registry.pull(release, tmp_path / "out")
    assert read_card(folder) == card
    assert dataset_sha256(folder) == card.sha256 == dataset_sha256(dataset)


def test_a_file_can_be_a_dataset(registry: Registry, tmp_path: Path) -> None:
    file = tmp_path / "one.extxyz"
    file.write_text(
        '2\nProperties=species:S:1:pos:R:3:forces:R:3 energy=-1.0 pbc="F F F"\n'
        "H 0 0 0 0 0 0\nH 0.74 0 0 0 0 0\n"
    )
    release = add_dataset(registry, file, "open/h2", licence="CC0-1.0")
    assert sorted(release.content.parts) == ["card.json", "one.extxyz"]


def test_origin_comes_from_the_card_beside_the_data(registry: Registry, dataset: Path) -> None:
    write_card(dataset, make_card(dataset, "x", licence="MIT", source="there", dft="PBE"))
    release = add_dataset(registry, dataset, "open/water", dft="PBE0")
    assert isinstance(release.content, DatasetContent)
    card = release.content.card
    assert (card.licence, card.source, card.dft) == ("MIT", "there", "PBE0")


def test_what_can_not_be_added(registry: Registry, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no licence is known; give one with --licence"):
        add_dataset(registry, dataset, "open/water")
    with pytest.raises(InputError, match="no such file or folder"):
        add_dataset(registry, tmp_path / "none", "open/water", licence="MIT")
    with pytest.raises(InputError, match="can't be a name"):
        add_dataset(registry, dataset, "Open Water", licence="MIT")
    write_card(dataset, make_card(dataset, "x", licence="MIT"))
    (dataset / "more").write_text("x")
    with pytest.raises(InputError, match="is the card of other data"):
        add_dataset(registry, dataset, "open/water", licence="MIT")
    (dataset / "card.json").unlink()
    (dataset / "more").unlink()
    (dataset / "link").symlink_to("/etc/hostname")
    with pytest.raises(InputError, match="is a link out of"):
        add_dataset(registry, dataset, "open/water", licence="MIT")
    assert registry.names("dataset") == []


def test_a_model_is_pushed_with_all_that_made_it(
    registry: Registry, run: Path, dataset: Path
) -> None:
    content = push(registry, run, labels_bought=30, limits=("no charged cells",))
    (result,) = content.results
    assert (result.test_set, result.head, result.frames) == ("water", "water", 10)
    assert result.errors["force_rmse_meV_per_A"] == 80.0
    assert result.baseline["force_rmse_meV_per_A"] == 400.0
    assert content.config == "kind: pretrain\n"
    assert content.gpu_hours == 2.0
    assert content.labels_bought == 30
    assert [one.name for one in content.ancestors] == ["water-train", "water", "water"]
    assert content.ancestors[-1].sha256 == dataset_sha256(dataset)
    assert content.ancestors[-1].licence == "CC0-1.0"


def test_properties_of_the_run_come_with_it(registry: Registry, run: Path) -> None:
    one = {"system": "Cu fcc", "name": "C11", "value": 170.0, "unit": "GPa", "reference": 168.0,
           "passed": True}  # fmt: skip
    write_json(run / "result/properties.json", [one])
    assert push(registry, run).properties[0].value == 170.0
    write_json(run / "result/properties.json", [{}])
    with pytest.raises(InputError, match=r"properties.json: can't be read as properties"):
        push(registry, run)


def test_a_model_folder_can_be_pushed_without_its_run(registry: Registry, run: Path) -> None:
    release = push_model(registry, run / "result/model", "open/water")
    assert isinstance(release.content, ModelContent)
    assert release.content.results == ()
    assert [one.name for one in release.content.ancestors] == ["water"]


def test_a_downloaded_result_can_be_pushed(registry: Registry, run: Path, dataset: Path) -> None:
    """Without the steps, the run's card tells what was trained on."""
    card = read_model_card(run / "result/model")
    head = {
        "parents": {"water": dataset_sha256(dataset)}, "train_sha256": card.heads["water"].sha256,
        "licence": "MIT", "source": "there", "frames": {"train": 3}, "quarantined": 0,
    }  # fmt: skip
    write_json(run / "result/card.json", {"datasets": {"water": head}})
    release = push_model(registry, run / "result/model", "open/water", run=run / "result")
    assert isinstance(release.content, ModelContent)
    assert release.content.results[0].head == "water"
    assert release.content.ancestors[1].sha256 == dataset_sha256(dataset)


def test_a_model_names_its_parents(registry: Registry, run: Path, dataset: Path) -> None:
    push(registry, run)
    later = write_run(run.parent / "later", {"water": dataset}, weights="more weights")
    content = push(registry, later, parents=("open/water@1",))
    assert content.parents == {"open/water@1": registry.release("model", "open/water@1").sha256}
    with pytest.raises(InputError, match="no such version"):
        push(registry, later, parents=("open/water@9",))


def test_what_can_not_be_pushed(registry: Registry, run: Path) -> None:
    write_text(run / "result/model/notes.txt", "mine")
    with pytest.raises(InputError, match=r"notes.txt: is not in the model's card"):
        push(registry, run)
    (run / "result/model/notes.txt").unlink()
    write_json(run / "result/metrics.json", {"heads": {"water": {}}})
    with pytest.raises(InputError, match=r"metrics.json: can't be read as metrics"):
        push(registry, run)
    (run / "result/metrics.json").unlink()
    write_text(run / "result/model/model.pt", "other weights")
    with pytest.raises(InputError, match="differs from its card"):
        push(registry, run)
    with pytest.raises(InputError, match="this is no model folder"):
        push_model(registry, run, "open/water")
    assert registry.names("model") == []


def test_an_evaluation_of_the_model_comes_with_it(
    registry: Registry, run: Path, tmp_path: Path
) -> None:
    exam = tmp_path / "exam/result"
    errors = {"head": "water", "frames": 7, "force_rmse_meV_per_A": 60.0, "sha256": "1" * 64}
    one = {"system": "W", "name": "C11", "value": 500.0, "unit": "GPa", "reference": None,
           "passed": True}  # fmt: skip
    write_json(exam / "metrics.json", {"heads": {"standard": errors}, "weighted": {}})
    write_json(exam / "properties.json", [one])
    tested = {"name": "run", "card_sha256": sha256_file(run / "result/model/card.json")}
    write_json(exam / "card.json", {"kind": "evaluate", "model": tested})
    content = push(registry, run, exam=tmp_path / "exam")
    found = {(result.test_set, result.head) for result in content.results}
    assert ("standard", "water") in found
    assert len(found) > 1
    assert content.results[-1].sha256 == "1" * 64
    assert content.properties[0].name == "C11"
    write_json(exam / "card.json", {"model": {"card_sha256": "0" * 64}})
    with pytest.raises(InputError, match="is of another model than"):
        push(registry, run, exam=exam)
    write_json(exam / "card.json", {})
    with pytest.raises(InputError, match="is no result of kind: evaluate"):
        push(registry, run, exam=exam)


def test_data_of_a_run_are_published_for_updates(
    registry: Registry, run: Path, dataset: Path
) -> None:
    write_card(dataset, make_card(dataset, "water", licence="MIT"))
    parts = run / "steps/split-water-1/outputs/parts"
    shutil.rmtree(parts)
    split_dataset(dataset, parts, {"train": 0.5, "test": 0.5}, seed=1)
    model = run / "result/model"
    card = read_model_card(model)
    head = card.heads["water"].model_copy(update={"sha256": read_card(parts / "train").sha256})
    write_model_card(model, card.model_copy(update={"heads": {"water": head}}))
    content = push(registry, run)
    assert missing_data(registry, content) == [
        "training data of head water", "a test set of head water"
    ]  # fmt: skip
    add_data_of_run(registry, run, "open/water", read_model_card(model))
    assert registry.names("dataset") == ["open/water/water/test", "open/water/water/train"]
    assert missing_data(registry, content) == []
    shutil.rmtree(run / "steps")
    with pytest.raises(InputError, match="no longer the data of water in its steps"):
        add_data_of_run(registry, run, "open/water", read_model_card(model))
