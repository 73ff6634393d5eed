import numpy as np
from ase.build import molecule

from lamflow.label.box import put_in_box


def test_small_moves_do_not_change_the_box():
    water, moved = molecule("H2O"), molecule("H2O")
    moved.positions[1] += 0.01
    put_in_box(water, 4.0)
    put_in_box(moved, 4.0)
    np.testing.assert_array_equal(water.cell, moved.cell)
    assert (water.cell.lengths() % 2 == 0).all()


def test_there_is_vacuum_on_each_side_and_the_molecule_is_whole():
    water = molecule("H2O")
    before = water.get_all_distances()
    put_in_box(water, 3.5)
    np.testing.assert_allclose(water.get_all_distances(), before, atol=1e-12)
    assert (water.positions >= 3.5).all()
    assert (water.positions <= water.cell.lengths() - 3.5).all()
