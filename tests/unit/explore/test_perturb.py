import numpy as np
import pytest
from ase.build import bulk, molecule

from lamflow.errors import InputError
from lamflow.explore.perturb import Perturb, PerturbSettings


def explore(start, seed=1, **settings):
    explorer = Perturb(
        PerturbSettings(**{"frames": 200, "strain": 0.0, "rattle_A": 0.0} | settings)
    )
    return explorer.explore(start, None, np.random.default_rng(seed)).frames


def test_rattling_has_the_wished_width():
    start = bulk("Cu", cubic=True)
    moves = explore(start, rattle_A=0.08).coords - start.positions
    assert moves.std() == pytest.approx(0.08, rel=0.05)
    assert moves.mean() == pytest.approx(0, abs=0.01)


def test_strain_is_symmetric_bounded_and_turns_nothing():
    start = bulk("Cu")  # its cell is not lower-triangular
    frames = explore(start, strain=0.05)
    strains = np.linalg.inv(start.cell.array) @ frames.cells - np.eye(3)
    np.testing.assert_allclose(strains, strains.transpose(0, 2, 1), atol=1e-12)
    assert 0.045 < np.abs(strains).max() <= 0.05


def test_atoms_go_with_the_cell():
    start = bulk("Cu", cubic=True)
    frames = explore(start, strain=0.05)
    scaled = frames.coords @ np.linalg.inv(frames.cells)
    np.testing.assert_allclose(scaled, np.broadcast_to(start.get_scaled_positions(), scaled.shape),
                               atol=1e-12)  # fmt: skip


def test_vacancies_take_atoms_out():
    start = bulk("Cu", cubic=True) * (2, 1, 1)
    frames = explore(start, vacancies=2)
    assert frames.natoms == 6
    assert len({tuple(np.round(frame, 6).ravel()) for frame in frames.coords}) > 20


def test_substitutions_have_the_wished_fractions():
    start = bulk("Cu", cubic=True) * (2, 2, 1)
    frames = explore(start, substitutions={"Cu": {"Ni": 0.25, "Au": 0.1}})
    symbols = np.array(frames.type_map)[frames.types]
    assert frames.type_map == ("Au", "Cu", "Ni")
    assert (symbols == "Ni").mean() == pytest.approx(0.25, abs=0.03)
    assert (symbols == "Au").mean() == pytest.approx(0.1, abs=0.03)


def test_other_elements_stay():
    frames = explore(molecule("H2O"), substitutions={"H": {"F": 1.0}})
    assert set(np.array(frames.type_map)[frames.types[0]]) == {"O", "F"}


def test_molecules_are_not_strained():
    frames = explore(molecule("H2O"), strain=0.1)
    np.testing.assert_allclose(frames.coords[0], molecule("H2O").positions)
    assert frames.cells is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vacancies": 4}, "would leave no atom of 4"),
        ({"substitutions": {"Cu": {"Ni": 0.6, "Au": 0.6}}}, "fractions must be"),
        ({"substitutions": {"Cu": {"Xx": 0.6}}}, "Xx: no such element"),
        ({"rattle_A": 2.0, "closest": 0.95, "frames": 2}, "rattle less"),
    ],
)
def test_what_can_not_work_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        explore(bulk("Cu", cubic=True), **settings)
