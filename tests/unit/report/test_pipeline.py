from html.parser import HTMLParser

from lamflow.report.model import StepRecord
from lamflow.report.pipeline import PipelineReport, Stage, render_pipeline

ERRORS = {"frames": 10, "energy_rmse_meV_per_atom": 3.0, "force_rmse_meV_per_A": 81.5}
METRICS = {
    "heads": {"water": {**ERRORS, "baseline": {**ERRORS, "force_rmse_meV_per_A": 900.0}}},
    "weighted": {**ERRORS, "baseline": ERRORS},
}


def report() -> PipelineReport:
    return PipelineReport(
        name="chain", status="succeeded",
        stages=[
            Stage("pretrain", "pretrain", None, {"kind": "pretrain"}, ("pretrain-train",)),
            Stage("fast", "compress", "pretrain", {"kind": "compress"}, ("fast-compress",)),
        ],
        reports={"pretrain": '<!doctype html><p title="a">inner & page</p>'},
        metrics={"pretrain": METRICS, "fast": {"speedup": 3.0}},
        steps=[
            StepRecord("pretrain-train", "pretrain", started=0.0, finished=90.0),
            StepRecord("fast-compress", "compress", ("pretrain-train",), started=90.0,
                       finished=100.0),
        ],
    )  # fmt: skip


def test_page_has_summary_links_and_the_pages_themselves() -> None:
    page = render_pipeline(report())
    HTMLParser().feed(page)
    inner = 'srcdoc="&lt;!doctype html&gt;&lt;p title=&#34;a&#34;&gt;inner &amp; page'
    for words in (
        "pretrain → fast",
        "81.5",
        "1 min 30 s",
        "speedup",
        'href="pretrain/report.html"',
        inner,
    ):
        assert words in page, words
    assert 'href="fast/report.html"' not in page
    assert "<script" not in page


def test_metrics_are_those_of_the_last_stage_with_errors() -> None:
    metrics = report().all_metrics()
    assert metrics["heads"] == METRICS["heads"]
    assert set(metrics["stages"]) == {"pretrain", "fast"}


def test_card_names_stages_and_their_times() -> None:
    first, second = report().card()["stages"]
    assert (first["step_seconds"], second["step_seconds"]) == (90.0, 10.0)
    assert (second["model"], second["metrics"]) == ("pretrain", None)
