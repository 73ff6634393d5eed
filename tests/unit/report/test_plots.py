import re

import numpy as np

from lamflow.report import plots
from lamflow.train.curve import Curve

from . import example


def test_curves_have_a_row_per_quantity_and_a_panel_per_head():
    rows = plots.learning_curves(
        {"seed 1": example.curve(np.random.default_rng(0))},
        {"Cu": {"energy_rmse_meV_per_atom": 55.0}},
    )
    assert [row.title for row in rows] == ["Energy RMSE, meV/atom", "Force RMSE, meV/Å"]
    assert [panel.head for panel in rows[0].panels] == list(example.OPENLAM)
    assert "baseline 55.0" in rows[0].panels[0].caption
    assert "baseline –" in rows[0].panels[1].caption


def test_a_committee_ends_in_a_range():
    def curve(last):
        return Curve(
            np.arange(3), np.ones(3), {"a": {"validation_energy": np.array([1.0, 0.5, last])}}
        )

    (row,) = plots.learning_curves({"1": curve(0.002), "2": curve(0.004)}, {})
    assert "validation ends at 2.0 to 4.0 meV/atom" in row.panels[0].caption


def test_training_curve_alone_is_named_so():
    curve = Curve(np.arange(2), np.ones(2), {"a": {"train_force": np.array([1.0, 0.5])}})
    (row,) = plots.learning_curves({"1": curve}, {})
    assert "training ends at 500.0 meV/Å" in row.panels[0].caption


def test_parity_captions_have_the_known_error():
    reference = np.linspace(-1, 1, 11)
    arrays = {"a": {"energy": np.column_stack([reference, reference + 0.01])}}
    (row,) = plots.parity(arrays)
    assert row.panels[0].caption == "RMSE 10.0 meV/atom, n = 11"
    assert re.search('aria-label="[^"]*head a', row.panels[0].picture)


def test_one_equal_point_can_be_drawn():
    assert plots.parity({"a": {"energy": np.ones((1, 2))}})
