import numpy as np
import pytest

from lamflow.errors import InputError
from lamflow.train.curve import CurveReader, read_curve, trim_curve

SINGLE = """\
# step      rmse_val    rmse_trn    rmse_e_val  rmse_e_trn    rmse_f_val  rmse_f_trn         lr
# If there is no available reference data, rmse_*_{val,trn} will print nan
      1      4.00e+00    3.00e+00      2.00e-01    1.00e-01      9.00e-01    8.00e-01    1.0e-03
     10      2.00e+00    1.00e+00           nan    5.00e-02      7.00e-01    6.00e-01    5.0e-04
"""
MULTI = """\
# step  rmse_val_a  rmse_trn_a  rmse_f_val_a  rmse_f_trn_a  rmse_trn_b_trn  rmse_f_trn_b_trn  lr
      1   4.0   3.0   2.0   1.0   6.0   5.0   1.0e-03
"""


def test_single_task_columns_get_their_names(tmp_path):
    (tmp_path / "lcurve.out").write_text(SINGLE)
    curve = read_curve(tmp_path / "lcurve.out", "water")
    np.testing.assert_array_equal(curve.steps, [1, 10])
    np.testing.assert_array_equal(curve.learning_rates, [1e-3, 5e-4])
    assert set(curve.heads) == {"water"}
    np.testing.assert_array_equal(curve.heads["water"]["train_force"], [0.8, 0.6])
    np.testing.assert_array_equal(curve.heads["water"]["validation_energy"], [0.2, np.nan])


def test_multi_task_columns_belong_to_heads_also_with_odd_names(tmp_path):
    (tmp_path / "lcurve.out").write_text(MULTI)
    heads = read_curve(tmp_path / "lcurve.out").heads
    assert set(heads) == {"a", "b_trn"}
    assert heads["a"]["validation_force"][0] == 2.0
    assert heads["b_trn"]["train_force"][0] == 5.0
    assert "validation_force" not in heads["b_trn"]


def test_growing_file_is_read_line_by_line(tmp_path):
    path = tmp_path / "lcurve.out"
    half = SINGLE.index("9.00e-01")
    path.write_text(SINGLE[:half])
    reader = CurveReader(path)
    assert not reader.update()
    path.write_text(SINGLE)
    assert reader.update()
    step, values = reader.newest()
    assert step == 10
    assert values["train_energy"] == 0.05
    assert "validation_energy" not in values, "nan is no news"
    assert not reader.update()


def test_steps_that_a_restart_repeats_replace_the_old_ones(tmp_path):
    path = tmp_path / "lcurve.out"
    repeated = SINGLE.replace("6.00e-01", "5.00e-01")
    path.write_text(
        SINGLE + repeated[: repeated.index("      1 ")] + repeated.splitlines()[-1] + "\n"
    )
    curve = read_curve(path)
    np.testing.assert_array_equal(curve.steps, [1, 10])
    assert curve.heads["model"]["train_force"][-1] == 0.5


def test_trimmed_curve_ends_at_the_checkpoint(tmp_path):
    path = tmp_path / "lcurve.out"
    path.write_text(SINGLE + "     20      torn")
    trim_curve(path, 5)
    np.testing.assert_array_equal(read_curve(path).steps, [1])


def test_file_that_is_no_curve_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no learning curve here"):
        read_curve(tmp_path / "missing.out")
    (tmp_path / "empty.out").write_text("")
    with pytest.raises(InputError, match="no header line"):
        read_curve(tmp_path / "empty.out")
