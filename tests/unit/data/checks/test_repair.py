import numpy as np
import pytest

from lamflow.data.checks.repair import can_repair, repaired
from lamflow.data.checks.settings import CheckSettings


def test_units_are_converted(crystal) -> None:
    frame = crystal(1)
    np.testing.assert_allclose(
        repaired(frame, "energy * 27.2114").energies, frame.energies * 27.2114
    )
    np.testing.assert_allclose(repaired(frame, "forces * -1").forces, -frame.forces)


def test_a_net_force_is_taken_off(crystal) -> None:
    frame = crystal(1)
    frame.forces[0] += [0.3, 0, 0]
    mended = repaired(frame, "subtract the mean force")
    np.testing.assert_allclose(mended.forces.sum(axis=1), 0, atol=1e-9)


def test_left_handed_cells_become_right_handed(crystal) -> None:
    frame = crystal(1)
    frame.cells[0] = frame.cells[0][[1, 0, 2]]
    assert np.linalg.det(repaired(frame, "exchange rows").cells[0]) > 0


@pytest.mark.parametrize("repair", ["", "energy * nan", "energy * 0", "mass * 2", "do something"])
def test_unknown_repairs_are_refused(repair: str, crystal) -> None:
    assert not can_repair(repair)
    with pytest.raises(ValueError, match="no such repair"):
        repaired(crystal(1), repair)


def test_what_cannot_be_repaired_is_rejected() -> None:
    settings = CheckSettings(decisions={"F_WRONG": "repair", "E_UNIT": "repair", "DUP": "off"})
    assert settings.decide("F_WRONG", repairable=False) == "reject"
    assert settings.decide("E_UNIT", repairable=True) == "repair"
    assert settings.decide("DUP", repairable=False) == "off"
    assert settings.decide("NAN", repairable=False) == "reject"
    assert settings.decide("DUP_TURNED", repairable=False) == "warn"
