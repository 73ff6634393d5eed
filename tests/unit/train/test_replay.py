import numpy as np
import pytest

from lamflow.data.card import make_card, read_card, write_card
from lamflow.data.dataset import Dataset
from lamflow.data.writer import DatasetWriter
from lamflow.errors import InputError
from lamflow.evaluate.predictor import Prediction
from lamflow.testing.trainer import emt_system
from lamflow.train.replay import pseudo_labels, replay_subset


@pytest.fixture
def pretraining(tmp_path):
    folder = tmp_path / "pretraining"
    with DatasetWriter(folder) as writer:
        writer.add(emt_system(12, seed=1, elements=("Cu", "Au")))
        writer.add(emt_system(5, seed=2, elements=("Ni", "Pt")))
    write_card(folder, make_card(folder, "metals", dft="EMT", licence="LGPL"))
    return folder


def test_diverse_frames_that_share_an_element(pretraining, tmp_path):
    found = replay_subset(pretraining, tmp_path / "out", ["Pt", "O"], 3, np.random.default_rng(0))
    assert (found.frames, found.shared, found.total) == (3, 5, 17)
    chosen = Dataset.open(tmp_path / "out")
    assert chosen.nframes == 3
    assert set(chosen.elements) == {"Ni", "Pt"}
    card = read_card(tmp_path / "out")
    assert card.dft == "EMT"
    assert "metals" in card.parents


def test_same_seed_takes_the_same_frames(pretraining, tmp_path):
    cards = []
    for name in ("a", "b"):
        replay_subset(pretraining, tmp_path / name, ["Cu"], 4, np.random.default_rng(3))
        cards.append(read_card(tmp_path / name).sha256)
    assert cards[0] == cards[1]


def test_too_few_frames_are_refused(pretraining, tmp_path):
    with pytest.raises(InputError, match=r"only 5 of 17 frames share an element .*\(O, Pt\).* 6"):
        replay_subset(pretraining, tmp_path / "out", ["Pt", "O"], 6, np.random.default_rng(0))
    assert not (tmp_path / "out").exists()


class OneEV:
    type_map = ("Au", "Cu")

    def predict(self, system):
        return Prediction(np.ones(system.nframes), 2 * np.ones_like(system.coords),
                          np.zeros((system.nframes, 3, 3)))  # fmt: skip


def test_pseudo_labels_replace_labels_where_elements_are_known(pretraining, tmp_path):
    found = pseudo_labels(OneEV(), pretraining, tmp_path / "out", "alloys")
    assert (found.frames, found.total) == (12, 17)
    (system,) = Dataset.open(tmp_path / "out").systems()
    np.testing.assert_array_equal(system.energies, np.ones(12))
    np.testing.assert_array_equal(system.forces, 2 * np.ones_like(system.coords))
    assert "head alloys" in read_card(tmp_path / "out").dft


def test_nothing_to_label_is_refused(tmp_path):
    folder = tmp_path / "nickel"
    with DatasetWriter(folder) as writer:
        writer.add(emt_system(2, seed=2, elements=("Ni", "Pt")))
    with pytest.raises(InputError, match="every frame has an element that head alloys"):
        pseudo_labels(OneEV(), folder, tmp_path / "out", "alloys")
    assert not (tmp_path / "out").exists()
