import pytest

from lamflow.errors import InputError
from lamflow.label.registry import LABELLERS


def test_the_ones_of_lamflow_are_known():
    assert set(LABELLERS.names()) >= {"emt", "tblite", "gpaw", "pyscf", "teacher"}


def test_another_package_can_offer_one(fake):
    assert "fake" in LABELLERS.names()
    assert LABELLERS.build("fake", fake).frames_per_process == 3


@pytest.mark.parametrize("name", ["emt", "tblite", "gpaw", "pyscf", "teacher"])
def test_classes_load_without_their_engine(name):
    assert LABELLERS.load(name).settings_type.model_fields is not None


def test_a_near_miss_is_suggested():
    with pytest.raises(InputError, match="unknown labeller 'gpav'; did you mean 'gpaw'"):
        LABELLERS.build("gpav", {})


def test_every_wrong_setting_is_told_at_once():
    with pytest.raises(InputError) as caught:
        LABELLERS.build("gpaw", {"cutoff": 500, "smearing_eV": -1})
    assert sorted(p.key for p in caught.value.problems) == [
        "label.gpaw.cutoff",
        "label.gpaw.smearing_eV",
    ]


@pytest.mark.parametrize(
    ("name", "settings", "key"),
    [("teacher", {"model": "here/model.pth"}, "model"),
     ("espresso", {"pseudopotentials": {}, "pseudopotential_folder": "here"},
      "pseudopotential_folder"),
     ("cp2k", {"data_folder": "here"}, "data_folder")],
)  # fmt: skip
def test_paths_hold_in_other_folders(name, settings, key, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = getattr(LABELLERS.build(name, settings).settings, key)
    assert path == tmp_path / settings[key]
