from pathlib import Path

import numpy as np
import pytest
from lamflow.workflows.compress import build
from model_folders import write_model_folder

from lamflow.config.loader import load_config
from lamflow.data.frames import System
from lamflow.deploy.build import CompressSettings, _compare, closest, spread_frames
from lamflow.deploy.compress import Agreement, agreement, why_not
from lamflow.errors import InputError, RunError
from lamflow.evaluate.predictor import Prediction
from lamflow.learn.frames import write_frames
from lamflow.train import presets
from lamflow.train.model_card import read_model_card, write_model_card

CONFIG = "kind: compress\nname: fast\nmodel: model\nhead: water\nframes: water.xyz\n"


def dimer(lengths: list[float]) -> System:
    """Frames of a hydrogen molecule in a box."""
    coords = np.array([[[0.0, 0, 0], [0, 0, length]] for length in lengths])
    n = len(lengths)
    return System(
        "dimer", ("H",), np.zeros((n, 2), dtype=np.int64), coords,
        np.tile(np.eye(3) * 9.0, (n, 1, 1)), None, None, None, np.arange(n),
    )  # fmt: skip


class Shifted:
    """Predicts nothing, but for one force component and one virial component."""

    type_map = ("H",)

    def __init__(self, force: float = 0.0, virial: float = 0.0) -> None:
        self.force, self.virial = force, virial

    def predict(self, system: System) -> Prediction:
        n = system.nframes
        forces, virials = np.zeros((n, 2, 3)), np.zeros((n, 3, 3))
        forces[-1, 1, 2], virials[-1, 0, 0] = self.force, self.virial
        return Prediction(np.zeros(n), forces, virials)


@pytest.mark.parametrize("name", ["dpa1-tiny", "dpa1-small", "se_e2_a"])
def test_these_presets_can_be_compressed(name: str) -> None:
    assert why_not(presets.load(name)) == ""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dpa1-medium", "2 attention layers"),
        ("dpa2-small", "repinit.tebd_input_mode: concat"),
        ("dpa3-tiny", "no compression for the descriptor dpa3"),
        ("se_t_tebd", "tebd_input_mode: concat"),
    ],
)
def test_others_are_refused_with_the_reason(name: str, reason: str) -> None:
    assert reason in why_not(presets.load(name))


def test_dpa2_in_strip_mode_can_be_compressed() -> None:
    strip = {"descriptor": {"repinit": {"tebd_input_mode": "strip"}}}
    assert why_not(presets.load("dpa2-small", strip)) == ""
    strip["descriptor"]["repinit"]["resnet_dt"] = True  # type: ignore[assignment]
    assert "resnet_dt" in why_not(presets.load("dpa2-small", strip))


def test_agreement_is_the_largest_difference_in_meV() -> None:  # noqa: N802
    found = agreement(Shifted(), Shifted(0.002, -0.004), [dimer([0.7, 0.8])])
    assert found == Agreement(2, 0.0, pytest.approx(2.0), pytest.approx(2.0))


def test_a_model_that_gives_no_number_never_agrees() -> None:
    found = agreement(Shifted(), Shifted(float("nan")), [dimer([0.7])])
    with pytest.raises(RunError, match=r"force_meV_per_A inf \(limit 5\); lower table.stride"):
        _compare(found, CompressSettings())


def test_the_nearest_pair_is_found_across_frames() -> None:
    assert closest([dimer([0.9, 0.62]), dimer([0.8])]) == pytest.approx(0.62)
    assert closest([dimer([4.0])]) == 1.0


def test_frames_are_spread_over_the_whole_set(tmp_path: Path) -> None:
    write_frames(tmp_path, [dimer([0.6 + 0.01 * k for k in range(21)])])
    (found,) = spread_frames(tmp_path / "frames", 5)
    lengths = found.coords[:, 1, 2]
    assert lengths == pytest.approx([0.6, 0.65, 0.7, 0.75, 0.8], abs=1e-6)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_model_folder(tmp_path / "model", "water", "metal")
    (tmp_path / "water.xyz").write_text("1\n\nH 0 0 0\n")
    (tmp_path / "compress.yaml").write_text(CONFIG)
    return tmp_path / "compress.yaml"


def test_graph_gives_deployment_and_report(config: Path) -> None:
    graph = build(load_config(config).config)  # type: ignore[arg-type]
    assert [step.name for step in graph.steps] == ["compress", "report"]
    assert set(graph.results) == {"deploy", "metrics.json", "report.html", "card.json"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("head: water", "the model has several heads; name one of water, metal"),
        ("head: waters", "no head 'waters'"),
    ],
)
def test_the_head_is_looked_for_first(config: Path, change: str, message: str) -> None:
    text = CONFIG.replace("head: water\n", "" if change == "head: water" else f"{change}\n")
    config.write_text(text)
    with pytest.raises(InputError, match=message):
        build(load_config(config).config)  # type: ignore[arg-type]


def test_what_cannot_be_compressed_is_refused_before_the_run(config: Path) -> None:
    folder = config.parent / "model"
    card = read_model_card(folder).model_copy(update={"model": presets.load("dpa3-tiny")})
    write_model_card(folder, card)
    with pytest.raises(InputError, match=r"descriptor dpa3. Set compress: false to deploy"):
        build(load_config(config).config)  # type: ignore[arg-type]
    assert build(load_config(config, ["compress=false"]).config)  # type: ignore[arg-type]
