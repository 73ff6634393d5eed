import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from lamflow.report.html import render_pretrain
from lamflow.report.model import StepRecord

from . import example

VOID = {"meta", "br", "hr", "img", "link", "input", "wbr"}


class Page(HTMLParser):
    """Checks that tags nest, and collects what the tests ask about."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.links, self.references, self.tags = [], [], [], [], set()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href"):
                self.links.append(value)
            self.references += re.findall(r"url\(#([^)]+)\)", value or "")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def html():
    return render_pretrain(example.report())


def test_is_one_well_formed_page_that_asks_for_nothing(html):
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert set(page.references) <= set(page.ids)
    assert not re.search(r"(https?:)?//\w", re.sub(r"base64,[\w+/=\s]*", "", html))


def test_is_small(html):
    assert len(html.encode()) < 1_000_000


def test_tells_the_outcome_first(html):
    body = html[html.index("<body>") :]
    sentence = "The model beats the baseline on 2 of 3 heads; it does not on C12H26."
    order = [
        "succeeded", "openlam-mini", sentence, "Errors per head</h2>", "Learning curves</h2>",
        "Parity on held-out frames</h2>", "Steps</h2>", "Datasets</h2>", "Element references</h2>",
        "Model card</h2>", "Configuration</h2>", "How to reproduce</h2>",
    ]  # fmt: skip
    places = [body.index(words) for words in order]
    assert places == sorted(places)


def test_colours_follow_the_scheme_of_the_reader(html):
    pictures = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL))
    assert "var(--ink)" in pictures
    assert not re.search(r"(fill|stroke): #", pictures)
    for variable in set(re.findall(r"var\((--[\w-]+)\)", html)):
        assert html.count(f"{variable}: #") >= 2, f"{variable} needs a light and a dark colour"


def test_pictures_and_tables_are_told_to_screen_readers(html):
    assert all("aria-label=" in svg for svg in re.findall(r"<svg[^>]*>", html))
    assert not re.search(r"<th(?![^>]*scope)[ >]", html)
    assert '<html lang="en">' in html


EVIL = "<script>alert(1)</script>\"'&"


def test_escapes_every_name():
    base = example.report()
    evil = replace(
        base,
        name=EVIL,
        status=EVIL,
        config_yaml=EVIL,
        command=EVIL,
        steps=[StepRecord(EVIL, EVIL, (), EVIL, 0.0, 1.0, {EVIL: EVIL})],
        datasets=[{"name": EVIL, "dft": EVIL, "clean": {"quarantined": 1, "reasons": {EVIL: 1}},
                   "references": {"energies": {EVIL: 1.0}}}],
        curves={EVIL: example.curve(np.random.default_rng(0), {EVIL: (1, 2.0, 3.0, ())}, 5)},
        metrics={"heads": {EVIL: {"frames": 1}}},
        parity={EVIL: {"energy": np.ones((2, 2))}},
        model_card={EVIL: {EVIL: [EVIL]}},
        versions={EVIL: EVIL},
    )  # fmt: skip
    html = render_pretrain(evil)
    assert "<script" not in html
    assert "script" not in Page(html).tags


def test_a_run_that_failed_early_has_a_page():
    empty = example.report(
        status="failed", steps=[], datasets=[], curves={}, metrics={}, parity={},
        model_card={}, versions={},
    )  # fmt: skip
    html = render_pretrain(empty)
    Page(html)
    assert "no head has been evaluated" in html


def test_numbers_that_are_not_finite_become_dashes():
    rng = np.random.default_rng(0)
    curve = example.curve(rng)
    for series in curve.heads["Cu"].values():
        series[:] = np.nan
    curve.heads["H2O-PD"]["validation_energy"][3] = np.inf
    metrics = example.metrics()
    metrics["heads"]["Cu"]["energy_rmse_meV_per_atom"] = float("nan")
    parity = example.parity(rng)
    parity["Cu"]["energy"][:, 1] = np.nan
    parity["Cu"]["force"][:3, 1] = np.inf
    html = render_pretrain(example.report(curves={"seed 1": curve}, metrics=metrics, parity=parity))
    Page(html)
    assert "beats the baseline on 1 of 3 heads; it does not on Cu, C12H26" in html
    assert "3 not finite" in html
    assert not re.search(r"\b(nan|NaN|inf)\b", re.sub(r"base64,[\w+/=\s]*", "", html))


@pytest.mark.slow
def test_thirty_heads_stay_below_two_megabytes():
    heads = {f"head-{i:02d}": (1.0, 5.0 + i, 50.0 + i, ("Cu",)) for i in range(30)}
    rng = np.random.default_rng(0)
    html = render_pretrain(
        example.report(
            curves={"seed 1": example.curve(rng, heads)},
            metrics=example.metrics(heads),
            parity=example.parity(rng, heads, frames=80),
            steps=example.steps(heads),
        )
    )
    assert len(html.encode()) < 2_000_000


def test_is_the_same_when_made_twice(html):
    assert html == render_pretrain(example.report())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [1400, 400])
def test_a_browser_shows_it_without_sideways_scrolling(html, tmp_path, width):
    probe = (
        f'<iframe src="page.html" width="{width}" height="900" onload="document.title='
        'this.contentDocument.documentElement.scrollWidth"></iframe>'
    )
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    (tmp_path / "probe.html").write_text(probe, encoding="utf-8")
    shown = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
         "--allow-file-access-from-files",
         f"--user-data-dir={tmp_path}/profile", "--dump-dom", f"file://{tmp_path}/probe.html"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    width_used = int(re.search(r"<title>(\d+)</title>", shown.stdout)[1])
    assert width_used <= width
