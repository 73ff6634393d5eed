from html.parser import HTMLParser

import numpy as np

from lamflow.learn.state import Iteration, LoopState
from lamflow.report.learn import LearnReport, headline, render_learn
from lamflow.report.model import StepRecord

ERRORS = {
    "energy_rmse_meV_per_atom": 3.0, "energy_mae_meV_per_atom": 2.0, "force_rmse_meV_per_A": 80.0,
    "force_mae_meV_per_A": 60.0, "virial_rmse_meV_per_atom": None,
}  # fmt: skip
COUNTS = {
    "accurate": 60, "candidate": 30, "failed": 10, "duplicate": 5, "left_over": 15, "picked": 10,
    "rescued": 0,
}  # fmt: skip


def iteration(number: int, **more: object) -> Iteration:
    values: dict[str, object] = {
        "iteration": number, "asked": 10, "labelled": 10, "members": 3, "tested_on": "test",
        "frames": {"train": 8 * (number + 1), "validation": 2 * (number + 1)}, "errors": ERRORS,
        "calibration": {"slope": 1.7, "method": "line", "frames": 12, "warning": ""},
        "levels": (0.1, 0.6),
    }  # fmt: skip
    return Iteration.model_validate(values | more)


def report() -> LearnReport:
    last = iteration(
        1, selection=COUNTS, trajectories={"complete": 3, "guarded": 1, "failed": 0},
        stops=("nvt600-a-1: step 7, atom 2 (H): <too> hot",), labelled=9,
        rejected={"unconverged": 1}, errors=ERRORS | {"force_rmse_meV_per_A": 40.0},
        members=2, members_failed=("member 3: the loss is not a number",),
    )  # fmt: skip
    points = [
        {"deviation": 0.1 * n, "error": 0.17 * n, "source": s}
        for n, s in ((1, "held out"), (2, "bought"))
    ]
    selection = {
        "counts": COUNTS, "low": 0.1, "high": 0.6,
        "histogram": {"edges": [0.01, 0.1, 1.0], "counts": [60.0, 40.0]},
        "picked": [{"composition": "C1H4O1 (molecule)", "deviation": 0.2}] * 10,
    }  # fmt: skip
    baseline = dict.fromkeys(ERRORS, 900.0)
    errors = {**last.errors, "frames": 32, "baseline": baseline}
    return LearnReport(
        name="methanol", status="succeeded", config_yaml="kind: learn\n", force_error=0.3,
        state=LoopState(spent=20, history=(iteration(0), last)), points={0: points, 1: points},
        selections={1: selection}, metrics={"heads": {"model": errors}, "weighted": errors},
        parity={"force": np.array([[0.0, 0.1], [1.0, 0.9]])}, curves={},
        steps=[StepRecord("start-draw", "draw", started=0.0, finished=1.0)],
        model_card={"name": "methanol", "versions": {"lamflow": "0"}, "model": {}, "files": {}},
    )  # fmt: skip


def test_page_tells_the_whole_story() -> None:
    page = render_learn(report())
    HTMLParser().feed(page)
    for words in (
        "60 / 30 / 10", "3 / 1 / 0", "2 of 3", "10 × C1H4O1 (molecule)", "1.70 × deviation",
        "no label for 1 frames: unconverged", "the loss is not a number", "calibration-1",
    ):  # fmt: skip
        assert words in page, words
    assert "&lt;too&gt; hot" in page
    assert "<script" not in page


def test_headline_says_what_was_reached_and_why_it_ended() -> None:
    assert headline(report()) == (
        "Force RMSE on test: 80.0 meV/Å at the start, 40.0 after 1 iterations and 20 labels; "
        "the budget of iterations is spent."
    )
