import pytest

from lamflow.report import tables

from . import example


def test_error_table_has_the_openlam_numbers_and_says_who_is_better():
    table = tables.error_table(example.metrics(), {"Cu": 0.1})
    assert [words for words, _ in table.quantities] == ["Energy", "Force", "Virial"]
    copper, _, dodecane = table.rows
    assert (copper.head, copper.weight, copper.frames) == ("Cu", "0.1", "212")
    assert (copper.cells[1].rmse, copper.cells[1].baseline_rmse) == ("18.2", "640.0")
    assert (copper.cells[1].mark, copper.cells[1].verdict) == ("▼ 35.2×", "smaller")
    assert (dodecane.cells[0].mark, dodecane.cells[0].verdict) == ("▲ 1.1×", "larger")
    assert dodecane.cells[2].rmse == "–"
    assert table.weighted is not None
    assert table.weighted.cells[0].rmse == "9.2"


def test_a_quantity_that_no_head_has_is_left_out():
    table = tables.error_table({"heads": {"a": {"energy_rmse_meV_per_atom": 1.0}}}, {})
    assert table.quantities == (("Energy", "meV/atom"),)
    assert table.weighted is None


@pytest.mark.parametrize(
    ("ours", "theirs", "won"),
    [((1, 1), (2, 2), True), ((1, 3), (2, 2), False), ((2, 1), (2, 2), False),
     ((None, 1), (None, 2), True), ((float("nan"), 1), (2, 2), False), ((1, 1), None, False),
     ((None, None), (None, None), False)],
)  # fmt: skip
def test_a_head_wins_only_with_energy_and_force(ours, theirs, won):
    keys = ("energy_rmse_meV_per_atom", "force_rmse_meV_per_A")
    head = dict(zip(keys, ours, strict=True))
    head["baseline"] = None if theirs is None else dict(zip(keys, theirs, strict=True))
    assert tables.beats_baseline({"heads": {"a": head}}) == ((["a"], []) if won else ([], ["a"]))


def test_heads_of_other_tasks_have_a_table_of_their_own():
    metrics = {
        "heads": {
            "a": {"energy_rmse_meV_per_atom": 1.0, "frames": 3},
            "gap": {"task": "property", "label": "gap", "unit": "eV", "frames": 5,
                    "value_rmse": 0.5, "value_mae": 0.4,
                    "baseline": {"value_rmse": 1.0, "value_mae": 0.2}},
            "noise": {"task": "denoise", "frames": 4, "displacement_rmse_A": 0.05,
                      "wrong_elements": None,
                      "baseline": {"displacement_rmse_A": 0.1, "wrong_elements": None}},
        }
    }  # fmt: skip
    rows = tables.other_rows(metrics)
    assert [(row.head, row.quantity, row.model, row.baseline) for row in rows] == [
        ("gap", "gap RMSE (eV)", "0.5", "1"),
        ("gap", "gap MAE (eV)", "0.4", "0.2"),
        ("noise", "displacement RMSE (Å)", "0.05", "0.1"),
    ]
    assert rows[0].verdict == "▼ 2.0× smaller"
    assert [row.head for row in tables.error_table(metrics, {}).rows] == ["a"]
    assert tables.beats_baseline(metrics) == (["noise"], ["a", "gap"])


def test_dataset_rows_say_what_was_kept_out_and_why():
    row = tables.dataset_rows(example.datasets())[1]
    assert row.kept == "1\u202f180"
    assert row.quarantined == "7: duplicate 5, force too large 2"
    assert row.splits == "train 850, validation 118, test 212"
    assert row.leak_risk == "validation 1.2%, test 0.0%"
    assert row.atoms == "4 to 192"


def test_a_bare_dataset_has_dashes():
    row = tables.dataset_rows([{"name": "x", "frames": 3, "atoms_min": 2, "atoms_max": 2}])[0]
    assert (row.kept, row.quarantined, row.atoms, row.leak_risk) == ("3", "–", "2", "–")


def test_references_have_a_column_per_dataset():
    table = tables.reference_table(example.datasets())
    assert table is not None
    assert table.datasets == ("Cu", "H2O-PD", "C12H26")
    assert dict(table.rows)["H"] == ("–", "−13.587", "−13.587")
    assert not table.starred
    assert tables.reference_table([{"name": "x", "references": None}]) is None


def test_references_that_the_data_do_not_fix_have_a_star():
    references = {"energies": {"H": -5.0, "O": -5.0, "C": -7.0}, "underdetermined": ["H", "O"]}
    table = tables.reference_table([{"name": "water", "references": references}])
    assert table is not None
    assert table.rows == (("H", ("−5.000*",)), ("O", ("−5.000*",)), ("C", ("−7.000",)))
    assert table.starred


@pytest.mark.parametrize(
    ("ours", "mark"), [(51.0, "▲ 1.02×"), (25.0, "▼ 2.0×"), (50.0, "="), (0.0, "▼")]
)
def test_nearly_equal_errors_get_one_more_digit(ours, mark):
    head = {"energy_rmse_meV_per_atom": ours, "baseline": {"energy_rmse_meV_per_atom": 50.0}}
    assert tables.error_table({"heads": {"a": head}}, {}).rows[0].cells[0].mark == mark


@pytest.mark.parametrize(
    ("force", "sentence"),
    [(1.0, "The model beats the baseline on 1 of 1 head."),
     (3.0, "The model beats the baseline on none of 1 head.")],
)  # fmt: skip
def test_headline(force, sentence):
    head = {"force_rmse_meV_per_A": force, "baseline": {"force_rmse_meV_per_A": 2.0}}
    assert tables.headline("succeeded", {"heads": {"a": head}}) == sentence
