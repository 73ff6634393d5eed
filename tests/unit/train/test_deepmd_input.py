import subprocess
import sys
from pathlib import Path

import pytest

from lamflow.train import presets
from lamflow.train.deepmd_input import HeadData, build_input, check_input, check_job, find_data
from lamflow.train.protocol import Head, TrainJob, TrainSettings

WITH_VIRIAL = HeadData([Path("a/s1"), Path("a/s2")], [Path("v/s1")], virial=True)
WITHOUT = HeadData([Path("b/s1")], [], virial=False)


def job(*names, preset="dpa1-tiny", **settings):
    heads = [Head(name, Path(name), weight=1.0 + i) for i, name in enumerate(names)]
    return TrainJob(heads, presets.load(preset), ["H", "O"], TrainSettings(100, **settings))


def test_single_task():
    config = build_input(job("water", batch="auto:64"), {"water": WITH_VIRIAL})
    assert config["model"]["type_map"] == ["H", "O"]
    assert config["training"]["training_data"] == {
        "systems": ["a/s1", "a/s2"], "batch_size": "auto:64"
    }  # fmt: skip
    assert config["training"]["validation_data"]["systems"] == ["v/s1"]
    assert config["loss"]["start_pref_v"] > 0
    assert check_input(config) == []


def test_heads_share_descriptor_and_type_map():
    config = build_input(job("a", "b"), {"a": WITH_VIRIAL, "b": WITHOUT})
    model = config["model"]
    assert model["shared_dict"]["type_map"] == ["H", "O"]
    for branch in model["model_dict"].values():
        assert (branch["type_map"], branch["descriptor"]) == ("type_map", "descriptor")
        assert branch["fitting_net"]["neuron"]
    assert config["training"]["model_prob"] == {"a": 1.0, "b": 2.0}
    assert set(config["training"]["data_dict"]["b"]) == {"training_data"}
    assert "start_pref_v" in config["loss_dict"]["a"]
    assert "start_pref_v" not in config["loss_dict"]["b"]
    assert check_input(config) == []


def test_learning_rate_falls_to_its_end():
    rates = build_input(job("a", learning_rate=1e-2, decay=1e-3), {"a": WITHOUT})["learning_rate"]
    assert rates["start_lr"] == 1e-2
    assert rates["stop_lr"] == pytest.approx(1e-5)


def test_seed_reaches_weights_and_data():
    config = build_input(job("a", seed=5), {"a": WITHOUT})
    assert config["training"]["seed"] == 5
    assert config["model"]["descriptor"]["seed"] == config["model"]["fitting_net"]["seed"] == 5


def test_raw_input_wins():
    raw = {"loss": {"start_pref_e": 0.5}, "training": {"disp_freq": 7}}
    config = build_input(job("a", deepmd=raw), {"a": WITHOUT})
    assert config["loss"]["start_pref_e"] == 0.5
    assert config["loss"]["start_pref_f"] > 0
    assert config["training"]["disp_freq"] == 7


@pytest.mark.parametrize("preset", presets.names())
def test_presets_please_deepmd(preset):
    assert check_job(job("a", preset=preset)) == []
    assert check_job(job("a", "b", preset=preset)) == []


def test_every_wrong_section_is_named():
    raw = {
        "loss": {"start_pref_e": "much"},
        "training": {"numb_stepz": 3, "_comment": "not a complaint"},
        "traning": {},
    }
    found = check_job(job("a", deepmd=raw))
    assert len(found) == 3
    assert any(text.startswith("loss: key `start_pref_e` gets wrong value type") for text in found)
    assert any("numb_stepz" in text and "numb_steps" in text for text in found)
    assert any(text == "traning: unknown section; did you mean 'training'?" for text in found)


def test_path_leads_into_a_head():
    model = presets.load("dpa1-tiny", {"descriptor": {"rcutt": 3}})
    wrong = TrainJob([Head("a", Path("a")), Head("b", Path("b"))], model, ["H"], TrainSettings(10))
    assert check_job(wrong)[0].startswith("model.model_dict.a.descriptor: undefined key `rcutt`")


def test_check_does_not_import_torch():
    code = (
        "import sys; from lamflow.train.deepmd_input import check_input; "
        "check_input({'model': {}}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_systems_and_virials_are_found(tmp_path):
    for name, file in (("n2_v", "virial.npy"), ("n2", "force.npy")):
        (tmp_path / name / "set.000").mkdir(parents=True)
        (tmp_path / name / "type.raw").write_text("0\n0\n")
        (tmp_path / name / "set.000" / file).touch()
    found = find_data(Head("a", tmp_path, validation=tmp_path / "n2"))
    assert [path.name for path in found.train] == ["n2", "n2_v"]
    assert [path.name for path in found.validation] == ["n2"]
    assert found.virial
    assert not find_data(Head("a", tmp_path / "n2")).virial
