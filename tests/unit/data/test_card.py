import pytest

from lamflow.data.card import make_card, read_card, write_card
from lamflow.errors import InputError


def test_card_describes_and_round_trips(make_system, write_dataset) -> None:
    folder = write_dataset(make_system(4), make_system(2, natoms=8, periodic=False))
    card = make_card(folder, "demo", licence="MIT", dft="PBE", source="here")
    write_card(folder, card)
    assert read_card(folder) == card
    assert (card.frames, card.atoms_min, card.atoms_max) == (6, 5, 8)
    assert card.labels == ("energy", "force", "virial")
    assert card.periodic is None
    assert card.references is not None
    assert set(card.references.energies) == {"O", "Ti"}
    # The card itself does not count, so describing again gives the same hash.
    assert make_card(folder, "demo").sha256 == card.sha256


def test_missing_card(tmp_path) -> None:
    with pytest.raises(InputError, match="has no card"):
        read_card(tmp_path)


def test_foreign_json_is_not_a_card(tmp_path) -> None:
    (tmp_path / "card.json").write_text('{"name": "x"}')
    with pytest.raises(InputError, match="not a dataset card"):
        read_card(tmp_path)
