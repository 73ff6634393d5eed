import pytest

from lamflow.errors import InputError
from lamflow.label import registry


def test_the_ones_of_lamflow_are_known():
    assert set(registry.names()) >= {"emt", "tblite", "gpaw", "pyscf", "teacher"}


def test_another_package_can_offer_one(fake):
    assert "fake" in registry.names()
    assert registry.build("fake", fake).frames_per_process == 3


@pytest.mark.parametrize("name", ["emt", "tblite", "gpaw", "pyscf", "teacher"])
def test_classes_load_without_their_engine(name):
    assert registry.labeller_type(name).settings_type.model_fields is not None


def test_a_near_miss_is_suggested():
    with pytest.raises(InputError, match="unknown labeller 'gpav'; did you mean 'gpaw'"):
        registry.build("gpav", {})


def test_every_wrong_setting_is_told_at_once():
    with pytest.raises(InputError) as caught:
        registry.build("gpaw", {"cutoff": 500, "smearing_eV": -1})
    assert sorted(p.key for p in caught.value.problems) == [
        "label.gpaw.cutoff",
        "label.gpaw.smearing_eV",
    ]
