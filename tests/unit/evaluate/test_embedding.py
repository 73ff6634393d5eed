"""Type embeddings of models as DeePMD-kit saves them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamflow.errors import InputError
from lamflow.evaluate.embedding import principal_plane, type_map_plane

ELEMENTS = ["H", "C", "O", "Ti", "Cu"]
FITTING = {"neuron": [8], "seed": 1}
DPA1 = {"type": "dpa1", "rcut": 4.0, "rcut_smth": 1.0, "sel": 8, "neuron": [4, 8], "tebd_dim": 6,
        "tebd_input_mode": "strip", "attn_layer": 0, "seed": 1}  # fmt: skip
SE_A = {"type": "se_e2_a", "rcut": 4.0, "rcut_smth": 1.0, "sel": [8] * 5, "neuron": [4, 8],
        "seed": 1}  # fmt: skip


def save_model(file: Path, descriptor: dict[str, Any]) -> None:
    """Write a checkpoint with random weights."""
    import torch
    from deepmd.pt.model.model import get_model
    from deepmd.pt.train.wrapper import ModelWrapper

    params = {"type_map": ELEMENTS, "descriptor": descriptor, "fitting_net": FITTING}
    wrapper = ModelWrapper(get_model(params), model_params=params)
    torch.save({"model": wrapper.state_dict()}, file)


@pytest.mark.slow
def test_the_elements_of_a_model_are_mapped(tmp_path: Path) -> None:
    save_model(tmp_path / "model.pt", DPA1)
    plane = type_map_plane(tmp_path / "model.pt", None, ["Ti", "H", "O", "C"])
    assert plane is not None
    assert plane.symbols == ("H", "C", "O", "Ti")
    assert plane.points.shape == (4, 2)
    np.testing.assert_allclose(plane.points.mean(axis=0), 0.0, atol=1e-6)
    assert 0 < plane.explained[1] <= plane.explained[0] <= 1
    assert type_map_plane(tmp_path / "model.pt", None, ["H", "O"]) is None


@pytest.mark.slow
def test_a_model_without_type_embedding_has_no_map(tmp_path: Path) -> None:
    save_model(tmp_path / "model.pt", SE_A)
    assert type_map_plane(tmp_path / "model.pt", None, ELEMENTS) is None


def test_a_missing_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no model file here"):
        type_map_plane(tmp_path / "model.pt", None, ELEMENTS)


def test_principal_plane_of_known_points() -> None:
    """Points on a tilted line and a little beside it: the first axis is the line."""
    line = np.outer(np.array([-2.0, -1, 0, 1, 2]), np.array([3.0, 4.0, 0.0]) / 5)
    beside = np.outer(np.array([0.1, -0.2, 0.2, -0.2, 0.1]), np.array([0.0, 0.0, 1.0]))
    points, explained = principal_plane(line + beside + 7.0)
    np.testing.assert_allclose(points[:, 0], [-2, -1, 0, 1, 2], atol=1e-12)
    np.testing.assert_allclose(np.abs(points[:, 1]), [0.1, 0.2, 0.2, 0.2, 0.1], atol=1e-12)
    np.testing.assert_allclose(explained, np.array([10.0, 0.14]) / 10.14)


def test_equal_vectors_lie_on_one_point() -> None:
    points, explained = principal_plane(np.ones((4, 3)))
    np.testing.assert_allclose(points, 0.0)
    np.testing.assert_allclose(explained, 0.0)
