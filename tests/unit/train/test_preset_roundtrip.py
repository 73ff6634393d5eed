"""Each preset trains, goes on from a checkpoint, freezes, predicts, and compresses if it can."""

import os

import numpy as np
import pytest
from in_process import in_process  # noqa: F401

from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.testing.trainer import TYPE_MAP, emt_system, write_dataset
from lamflow.train import presets
from lamflow.train.deepmd_trainer import DeepmdTrainer
from lamflow.train.protocol import Head, TrainJob, TrainSettings

EVERY = bool(os.environ.get("LAMFLOW_ALL_PRESETS"))
"""Set it to run all presets at their full size (minutes) instead of one small one a family."""

_SMALL_DPA2 = {
    "repinit": {"neuron": [4, 8], "axis_neuron": 4, "nsel": 60},
    "repformer": {"nlayers": 1, "g1_dim": 16, "g2_dim": 8, "nsel": 40,
                  "attn1_hidden": 8, "attn2_hidden": 8},
}  # fmt: skip
REDUCED = {
    "se_e2_a": {"descriptor": {"neuron": [4, 8], "axis_neuron": 4}},
    "se_t_tebd": {},
    "dpa1-medium": {"descriptor": {"neuron": [4, 8], "axis_neuron": 4, "attn": 8, "attn_layer": 1}},
    "dpa2-small-strip": {"descriptor": _SMALL_DPA2},
    "dpa3-medium-dynamic": {
        "descriptor": {"repflow": {"nlayers": 1, "n_dim": 16, "e_dim": 8, "a_dim": 8}}
    },
    "dpa4-tiny": {},
}
STEPS, SAVED = 20, 10


def models():
    return {name: {} for name in presets.names()} if EVERY else REDUCED


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", models())
def test_preset_goes_round(name, tmp_path, in_process):  # noqa: F811
    data = write_dataset(tmp_path / "data", emt_system(4, seed=1))
    model = presets.load(name, models()[name])
    settings = TrainSettings(STEPS, batch=1, save_every=SAVED, report_every=5, threads=1)
    job = TrainJob([Head("alloy", data)], model, TYPE_MAP, settings)
    whole = DeepmdTrainer().train(job, tmp_path / "run")
    says = _predict(whole, "alloy")
    assert np.isfinite(says.energies).all()
    assert np.abs(says.forces.sum(axis=1)).max() < 1e-3

    (tmp_path / f"run/model.ckpt-{STEPS}.pt").unlink()  # as if it had been cut off after `SAVED`
    for file in ("result.json", "trained.json"):
        (tmp_path / "run" / file).unlink()
    curve = whole.curve.read_text().splitlines()
    again = _predict(DeepmdTrainer().train(job, tmp_path / "run"), "alloy")
    assert again.energies == pytest.approx(says.energies, abs=2e-5)
    assert again.forces == pytest.approx(says.forces, abs=2e-4)
    assert [line for line in whole.curve.read_text().splitlines() if line[:1] != "#"] == [
        line for line in curve if line[:1] != "#"
    ]
    if presets.describe(name).compressible:
        _check_compressed(whole, says, tmp_path)


def _predict(result, head):
    return DeepmdPredictor(result.frozen[head]).predict(emt_system(2, seed=5))


def _check_compressed(result, says, folder):
    from deepmd.pt.entrypoints.compress import enable_compression

    target = folder / "compressed.pth"
    enable_compression(
        str(result.frozen["alloy"]), str(target), training_script=str(result.input), extrapolate=5
    )
    fast = DeepmdPredictor(target).predict(emt_system(2, seed=5))
    assert fast.energies == pytest.approx(says.energies, abs=1e-3)
    assert fast.forces == pytest.approx(says.forces, abs=1e-3)


def test_every_family_is_tried():
    families = {presets.load(name)["descriptor"]["type"] for name in presets.names()}
    assert families == {presets.load(name)["descriptor"]["type"] for name in REDUCED}
