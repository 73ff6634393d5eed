import pytest

from lamflow.errors import InputError
from lamflow.evaluate.table import weighted_errors


def head(energy, virial=None):
    return {"energy_rmse_meV_per_atom": energy, "virial_rmse_meV_per_atom": virial}


def test_mean_is_weighted_as_in_the_openlam_reports():
    found = weighted_errors({"a": head(10.0), "b": head(40.0)}, {"a": 2.0, "b": 1.0})
    assert found["energy_rmse_meV_per_atom"] == pytest.approx((2 * 10 + 1 * 40) / 3)


def test_head_without_a_label_does_not_count_there():
    found = weighted_errors({"a": head(1.0, 6.0), "b": head(1.0)}, {"a": 1.0, "b": 9.0})
    assert found["virial_rmse_meV_per_atom"] == 6.0
    assert found["force_rmse_meV_per_A"] is None


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="no weight for b"):
        weighted_errors({"a": head(1.0), "b": head(1.0)}, {"a": 1.0})
    with pytest.raises(InputError, match="all zero"):
        weighted_errors({"a": head(1.0)}, {"a": 0.0})
