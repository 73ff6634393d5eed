from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from lamflow.evaluate.properties.result import PropertyCurve, PropertyValue
from lamflow.files import write_json
from lamflow.report.evaluate import EvaluateReport, exam_metrics, headline, render_evaluation
from lamflow.report.model import StepRecord

ERRORS = {
    "energy_rmse_meV_per_atom": 3.0, "energy_mae_meV_per_atom": 2.0, "force_rmse_meV_per_A": 80.0,
    "force_mae_meV_per_A": 60.0, "virial_rmse_meV_per_atom": None,
}  # fmt: skip
BASELINE = dict.fromkeys(ERRORS, 900.0)


def exam(name: str, **more: object) -> dict[str, object]:
    return {
        "head": name, "zero_shot": False, "reference_frames": 0, "sha256": "0" * 64, "frames": 10,
        **ERRORS, "baseline": BASELINE, **more,
    }  # fmt: skip


def value(name: str, **more: object) -> PropertyValue:
    values = {"system": "w-bcc", "name": name, "value": 300.0, "unit": "GPa", "reference": 310.0,
              "passed": True}  # fmt: skip
    return PropertyValue.model_validate(values | more)


def report() -> EvaluateReport:
    worst = {"system": "n006 <b>", "frame": 7, "composition": "CH4O", "force_max_meV_per_A": 900.0,
             "energy_meV_per_atom": -12.0}  # fmt: skip
    # fmt: off
    element = {"element": "Ti", "atoms": 20, "force_rmse_meV_per_A": 99.5,
               "force_mae_meV_per_A": 60.0, "frames": 10, "energy_rmse_meV_per_atom": 3.0}
    card = {"elements": ["O", "Ti"], "dft": "PBE", "licence": "MIT", "source": "", "quarantined": 1}
    # fmt: on
    heads = {"tio2": exam("tio2"), "other": exam("other", force_rmse_meV_per_A=1234.0)}
    return EvaluateReport(
        name="exam", status="succeeded", config_yaml="kind: evaluate\n",
        weights={"tio2": 1.0, "water": 0.5},
        metrics={
            "heads": {"tio2": exam("tio2"), "water": exam("tio2", zero_shot=True,
                                                          reference_frames=4)},
            "weighted": {**ERRORS, "baseline": BASELINE},
        },
        details={
            "tio2": {"elements": [element], "worst": {"force": [worst]}, "heads": {},
                     "untaught": []},
            "water": {"elements": [element], "worst": {}, "heads": heads, "untaught": ["H"]},
        },
        datasets={"tio2": card, "water": card},
        parity={"tio2": {"force": np.array([[0.0, 0.1], [1.0, 0.9]])}, "water": {}},
        properties=[value("bulk modulus"), value("C11", value=None, passed=False, reason="no fit")],
        curves=[PropertyCurve(system="w-bcc", name="equation of state", x_label="volume (Å³/atom)",
                              y_label="energy (eV/atom)", x=(15.0, 16.0, 17.0), y=(1.0, 0.0, 1.0),
                              points=True)],
        steps=[StepRecord("test-tio2", "examine", started=0.0, finished=1.0)],
        model_card={"name": "big", "versions": {"lamflow": "0"}, "model": {}, "files": {}},
        model_sha256="1" * 64,
    )  # fmt: skip


def test_page_tells_the_whole_story() -> None:
    page = render_evaluation(report())
    HTMLParser().feed(page)
    for words in (
        "refitted to 4 other frames", "the head&#39;s own", "which head fits best", "1\u202f234.0",
        "n006 &lt;b&gt; 7", "CH4O", "99.5", "✗ failed", "no fit", "300 GPa", "equation of state",
        "Weighted mean",
    ):  # fmt: skip
        assert words in page, words
    assert "<script" not in page


def test_headline_names_what_failed() -> None:
    assert headline(report()) == (
        "The model beats the baseline on 2 of 2 test sets. 1 of 2 property tests passed; failed: "
        "w-bcc C11."
    )


def test_only_properties_or_only_sets() -> None:
    empty = {"heads": {}, "weighted": {"baseline": {}}}
    only = replace(report(), metrics=empty, details={}, datasets={}, parity={}, weights={})
    assert 'id="errors"' not in render_evaluation(only)
    other = replace(report(), properties=[], curves=[])
    assert 'id="properties"' not in render_evaluation(other)


def test_card_says_what_was_tested_with_what() -> None:
    card = report().card()
    assert card["test_sets"]["water"]["head"] == "tio2"
    assert card["properties"] == {"passed": 1, "failed": 1}
    assert card["model"] == {"name": "big", "card_sha256": "1" * 64}


def test_weights_count_and_weight_zero_does_not(tmp_path) -> None:
    for name, force in (("a", 100.0), ("b", 40.0), ("c", 1e6)):
        (tmp_path / name).mkdir()
        write_json(tmp_path / name / "errors.json", exam(name, force_rmse_meV_per_A=force))
    exams = {name: tmp_path / name for name in "abc"}
    metrics = exam_metrics(exams, {"a": 1.0, "b": 3.0, "c": 0.0})
    assert metrics["weighted"]["force_rmse_meV_per_A"] == pytest.approx(55.0)
    assert set(metrics["heads"]) == {"a", "b", "c"}
    nothing = exam_metrics({"c": tmp_path / "c"}, {"c": 0.0})
    assert nothing["weighted"] == {"baseline": {}}
