import pytest

from lamflow.errors import InputError
from lamflow.train import presets


@pytest.mark.parametrize("name", presets.names())
def test_preset_says_where_it_is_from(name):
    preset = presets.describe(name)
    assert preset.source
    assert preset.parameters > 1000
    assert preset.cutoff_A > 0
    assert set(preset.model) >= {"descriptor", "fitting_net"}


def test_overrides_reach_into_a_preset():
    model = presets.load("dpa1-tiny", {"descriptor": {"rcut": 7.0}})
    assert model["descriptor"]["rcut"] == 7.0
    assert model["descriptor"]["type"] == "dpa1"
    assert presets.load("dpa1-tiny")["descriptor"]["rcut"] != 7.0


def test_typo_gets_a_suggestion():
    with pytest.raises(
        InputError, match="no preset is named 'dpa1-tinny'; did you mean 'dpa1-tiny'"
    ):
        presets.load("dpa1-tinny")


@pytest.mark.parametrize(
    ("part", "key"), [({"nsel": 48}, "repinit.nsel"), ({"rcut": 3.0}, "repinit.rcut")]
)
def test_dpa2_needs_a_wider_first_layer(part, key):
    with pytest.raises(InputError, match=key):
        presets.load("dpa2-small", {"descriptor": {"repinit": part}})
