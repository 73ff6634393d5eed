from pathlib import Path

import numpy as np
import pytest

from lamflow.errors import InputError
from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.testing.trainer import emt_system, write_dataset
from lamflow.train import presets
from lamflow.train.deepmd_input import HeadData, build_input, check_input
from lamflow.train.deepmd_trainer import DeepmdTrainer
from lamflow.train.finetune import FRESH, Checkpoint, best_head, finetune_job, read_checkpoint
from lamflow.train.given import as_folder, open_model
from lamflow.train.protocol import Head, TrainJob, TrainSettings

DATA = {name: HeadData([Path(name)], [], virial=False) for name in ("old", "new")}
SETTINGS = TrainSettings(10, batch=1, save_every=100, threads=1)
SMALL = {
    "descriptor": {"neuron": [4, 8], "axis_neuron": 4, "precision": "float64"},
    "fitting_net": {"neuron": [8, 8], "precision": "float64"},
}


def checkpoint(*heads):
    return Checkpoint(Path("model.pt"), ("H", "O"), heads, presets.load("dpa1-tiny"))


def job(sources, *heads, elements=("O",), start=None, **options):
    return finetune_job(
        start or checkpoint("old", "other"),
        [Head(name, Path(name)) for name in sources],
        sources,
        elements,
        SETTINGS,
        **options,
    )


def test_new_elements_follow_the_old_ones():
    assert job({"new": "old"}, elements=("S", "O")).type_map == ("H", "O", "S")


def test_single_task_names_the_head_to_copy():
    config = build_input(job({"new": "old"}), DATA)
    assert config["model"]["finetune_head"] == "old"
    assert check_input(config) == []


def test_replayed_head_goes_on_and_the_new_one_is_fresh():
    config = build_input(job({"old": "old", "new": FRESH}), DATA)
    branches = config["model"]["model_dict"]
    assert "finetune_head" not in branches["old"]
    assert branches["new"]["finetune_head"] == "RANDOM"
    assert check_input(config) == []


def test_frozen_descriptor():
    config = build_input(job({"new": "old"}, freeze_descriptor=True), DATA)
    assert config["model"]["descriptor"]["trainable"] is False
    with pytest.raises(InputError, match=r"S are new .* frozen descriptor cannot learn"):
        job({"new": "old"}, elements=("S",), freeze_descriptor=True)


def test_unknown_head_gets_a_suggestion():
    with pytest.raises(InputError, match=r"no head is named 'othr'; did you mean 'other'"):
        job({"new": "othr"})


def test_best_head_goes_by_forces():
    errors = {
        "a": {"force_rmse_meV_per_A": 300.0, "energy_rmse_meV_per_atom": 1.0},
        "b": {"force_rmse_meV_per_A": 200.0, "energy_rmse_meV_per_atom": 9.0},
        "c": {"force_rmse_meV_per_A": None, "energy_rmse_meV_per_atom": 0.1},
    }
    assert best_head(errors) == "b"
    assert best_head({"c": errors["c"]}) == "c"
    with pytest.raises(InputError, match="no head could be tested"):
        best_head({})


def test_file_that_is_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match="there is no checkpoint here"):
        read_checkpoint(tmp_path / "model.pt")
    (tmp_path / "model.pt").write_bytes(b"something")
    with pytest.raises(InputError, match="is no checkpoint of DeePMD-kit"):
        read_checkpoint(tmp_path / "model.pt")


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained")
    heads = [
        Head(name, write_dataset(folder / name, emt_system(6, seed=seed)))
        for seed, name in enumerate(("one", "two"), start=1)
    ]
    job = TrainJob(heads, presets.load("dpa1-tiny", SMALL), ("Cu", "Au"), SETTINGS)
    return heads, DeepmdTrainer().train(job, folder / "run")


@pytest.mark.slow
def test_multi_task_model_is_fine_tuned_with_replay_to_a_new_element(pretrained, tmp_path):
    (one, _), old = pretrained
    new = write_dataset(tmp_path / "new", emt_system(6, seed=3, elements=("Ni", "Cu")))
    found = read_checkpoint(old.checkpoint)
    assert found.heads == ("one", "two")
    assert found.type_map == ("Cu", "Au")
    sources = {"one": "one", "nickel": "two"}
    job = finetune_job(found, [one, Head("nickel", new)], sources, ("Cu", "Ni"), SETTINGS)
    tuned = DeepmdTrainer().train(job, tmp_path / "finetune")

    frames = emt_system(4, seed=3, elements=("Ni", "Cu"))
    predictor = DeepmdPredictor(tuned.frozen["nickel"])
    assert predictor.type_map == ("Cu", "Au", "Ni")
    errors = predictor.predict(frames).energies - frames.energies
    assert abs(errors.mean()) / frames.natoms < 0.2, "references are refitted, eV/atom"
    before, after = (
        DeepmdPredictor(result.frozen["one"]).predict(emt_system(2, seed=9)).energies
        for result in (old, tuned)
    )
    np.testing.assert_allclose(after, before, atol=8 * 0.2)


@pytest.mark.slow
def test_frozen_descriptor_does_not_change(pretrained, tmp_path):
    import torch

    (one, _), old = pretrained
    found = read_checkpoint(old.checkpoint)
    heads = [Head("three", one.train)]
    job = finetune_job(found, heads, {"three": "one"}, ("Cu",), SETTINGS, freeze_descriptor=True)
    tuned = DeepmdTrainer().train(job, tmp_path / "finetune")

    before, after = (
        torch.load(path, weights_only=True)["model"] for path in (old.checkpoint, tuned.checkpoint)
    )
    moved = {
        "descriptor" if ".descriptor." in name else "rest"
        for name, weights in after.items()
        if name != "_extra_state"
        and not torch.equal(weights, before[name.replace("model.Default.", "model.one.")])
    }
    assert moved == {"rest"}


@pytest.mark.slow
def test_a_single_file_becomes_a_model_folder(pretrained, tmp_path):
    (_one, _), old = pretrained
    given = open_model(as_folder(old.checkpoint, tmp_path))
    assert given.heads == ("one", "two")
    assert given.checkpoint.type_map == given.type_map == ("Cu", "Au")
    frames = emt_system(2, seed=9)
    expected = DeepmdPredictor(old.frozen["two"]).predict(frames).energies
    np.testing.assert_allclose(given.predictor("two").predict(frames).energies, expected)
    with pytest.raises(InputError, match="several heads; name one of one, two"):
        given.predictor()

    frozen = open_model(as_folder(old.frozen["two"], tmp_path))
    np.testing.assert_allclose(frozen.predictor().predict(frames).energies, expected)
    with pytest.raises(InputError, match="holds a frozen model only"):
        _ = frozen.checkpoint

    (given.folder / "model.pt").write_bytes(b"other")
    with pytest.raises(InputError, match="differs from its card"):
        given.predictor("one")
