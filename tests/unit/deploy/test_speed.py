import pytest
from ase import Atoms
from ase.build import bulk

from lamflow.deploy.speed import repeated


@pytest.mark.parametrize(("wanted", "found"), [(32, 32), (192, 192), (2000, 2048), (3, 4)])
def test_a_crystal_is_repeated_to_about_the_size(wanted: int, found: int) -> None:
    cell = repeated(bulk("Cu", cubic=True), wanted)
    assert abs(len(cell) - found) <= 0.1 * found
    sides = cell.cell.lengths()
    assert sides.max() <= 3 * sides.min()


def test_a_molecule_stays_as_it_is() -> None:
    assert len(repeated(Atoms("H2", [[0, 0, 0], [0, 0, 0.7]]), 100)) == 2
