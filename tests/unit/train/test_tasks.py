"""Heads of other tasks than energies: what DeePMD-kit is told, and real training of them."""

from dataclasses import replace

import numpy as np
import pytest
from in_process import in_process  # noqa: F401

from lamflow.config.task import (
    ENERGY,
    DenoiseTask,
    DipoleTask,
    DosTask,
    PropertyTask,
    SpinTask,
)
from lamflow.data.dataset import Dataset
from lamflow.data.references import Baseline, dataset_references
from lamflow.errors import InputError
from lamflow.evaluate.other_heads import (
    DenoiseHead,
    LabelPredictor,
    denoise_errors,
    label_baseline,
    label_errors,
    spin_errors,
)
from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.testing.trainer import TYPE_MAP, emt_system, write_dataset
from lamflow.train import presets, tasks
from lamflow.train.curve import read_curve
from lamflow.train.deepmd_input import check_job
from lamflow.train.deepmd_trainer import DeepmdTrainer
from lamflow.train.finetune import FRESH, finetune_job, read_checkpoint
from lamflow.train.protocol import Head, TrainJob, TrainSettings

SMALL = {
    "descriptor": {"neuron": [4, 8], "axis_neuron": 4, "precision": "float64"},
    "fitting_net": {"neuron": [16, 16], "precision": "float64"},
}
MODEL = presets.load("dpa1-tiny", SMALL)
SETTINGS = TrainSettings(60, batch=2, seed=3, save_every=20, report_every=20, threads=1)
GAP = PropertyTask(label="gap")
TASKS = {
    "potential": ENERGY,
    "noise": DenoiseTask(sigma_A=0.15, mask=0.3),
    "gap": GAP,
    "dos": DosTask(bins=4),
    "vector": DipoleTask(),
}


def test_each_task_pleases_deepmd(tmp_path):
    heads = [Head(name, tmp_path, task=task) for name, task in TASKS.items()]
    types = tasks.types_with_mask(TYPE_MAP, TASKS.values())
    assert types == (*TYPE_MAP, "X")
    assert check_job(TrainJob(heads, MODEL, types, SETTINGS)) == []
    for head in heads:
        assert check_job(TrainJob([head], MODEL, types, SETTINGS)) == []
    spin = Head("spin", tmp_path, task=SpinTask(elements=("Ni",)))
    assert check_job(TrainJob([spin], MODEL, TYPE_MAP, SETTINGS)) == []


def test_types_are_as_they_were_without_masks():
    assert tasks.types_with_mask(("H",), [ENERGY, DenoiseTask(mask=0.0)]) == ("H",)
    assert tasks.types_with_mask(("H", "X"), [DenoiseTask()]) == ("H", "X")


@pytest.mark.parametrize(
    ("preset", "chosen", "reason"),
    [
        ("dpa1-tiny", {"a": ENERGY, "s": SpinTask(elements=("Ni",))}, "doubles the types"),
        ("dpa4-tiny", {"a": ENERGY, "d": DenoiseTask()}, "energy and property heads only"),
        ("se_t_tebd", {"v": DipoleTask()}, "has no directions"),
    ],
)
def test_what_does_not_go_together_is_refused(preset, chosen, reason):
    refused = dict(tasks.refusals(chosen, presets.load(preset)))
    assert [reason in why for why in refused.values()] == [True]
    assert not dict(tasks.refusals({"a": ENERGY, "gap": GAP}, presets.load(preset)))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Eight frames for each task; the labels are functions of the structures."""
    folder = tmp_path_factory.mktemp("tasks")
    frames = emt_system(8, seed=1)
    bare = replace(frames, energies=None, forces=None, virials=None)
    part = frames.counts()[:, :1] / frames.natoms
    volume = np.abs(np.linalg.det(frames.cells))[:, None]
    others = {
        "gap": volume / 100 + part, "dos": volume * np.arange(1, 5) / 100,
        "dipole": np.tile([0.1, 0.0, -0.1], (8, 1)),
    }  # fmt: skip
    return {
        "potential": write_dataset(folder / "potential", frames),
        "noise": write_dataset(folder / "noise", bare),
        **{name: write_dataset(folder / name, replace(bare, others=others))
           for name in ("gap", "dos", "vector")},
    }  # fmt: skip


@pytest.mark.slow
def test_five_tasks_share_a_descriptor_and_a_restart_changes_nothing(data, tmp_path, in_process):  # noqa: F811
    heads = [Head(name, data[name], data[name], task=task) for name, task in TASKS.items()]
    job = TrainJob(heads, MODEL, tasks.types_with_mask(TYPE_MAP, TASKS.values()), SETTINGS)
    whole = DeepmdTrainer().train(job, tmp_path / "whole")
    curve = read_curve(whole.curve)
    assert set(curve.heads) == set(TASKS)
    assert "validation_displacement" in curve.heads["noise"]
    assert "train_property" in curve.heads["gap"]

    cut = _cut_off_five_times(job, tmp_path / "cut")
    rows = [line for line in cut.curve.read_text().splitlines() if line[0] != "#"]
    assert rows == [line for line in whole.curve.read_text().splitlines() if line[0] != "#"]
    frame = emt_system(2, seed=9)
    one, two = (DeepmdPredictor(run.frozen["potential"]).predict(frame) for run in (whole, cut))
    np.testing.assert_allclose(two.energies, one.energies, rtol=0, atol=1e-8)
    np.testing.assert_allclose(two.forces, one.forces, rtol=0, atol=1e-8)

    for name in ("gap", "dos", "vector"):
        dataset = Dataset.open(data[name])
        base = label_baseline(dataset.systems(), TASKS[name])
        says = LabelPredictor(whole.frozen[name], TASKS[name])
        errors = label_errors(says, base, dataset.systems(), TASKS[name])
        assert errors["frames"] == 8
        assert errors["value_rmse"] < 2 * errors["baseline"]["value_rmse"] + 0.5


class _CutOffError(BaseException):
    """What a SIGTERM does to a training: it ends in the middle of a step."""


def _cut_off_five_times(job, folder):
    from lamflow.train import deepmd_main

    step = deepmd_main.ExactTrainer._next_training_batch
    for last in (7, 25, 33, 41, 58):

        def stopping(self, task_key, last=last):
            if self._clock.step + 1 >= last:
                raise _CutOffError
            return step(self, task_key)

        deepmd_main.ExactTrainer._next_training_batch = stopping
        try:
            with pytest.raises(_CutOffError):
                DeepmdTrainer().train(job, folder)
        finally:
            deepmd_main.ExactTrainer._next_training_batch = step
    return DeepmdTrainer().train(job, folder)


@pytest.mark.slow
def test_denoising_is_learnt_turns_with_the_frame_and_can_be_fine_tuned(data, tmp_path, in_process):  # noqa: F811
    task = DenoiseTask(sigma_A=0.15, mask=0.3)
    longer = replace(SETTINGS, steps=400, learning_rate=1e-2, batch=4, report_every=100)
    rest = emt_system(40, seed=1)
    rest = replace(rest, coords=_at_rest(rest), energies=None, forces=None, virials=None)
    folder = write_dataset(tmp_path / "rest", rest)
    job = TrainJob([Head("noise", folder, task=task)], MODEL, (*TYPE_MAP, "X"), longer)
    run = DeepmdTrainer().train(job, tmp_path / "run")

    model = run.frozen["noise"]
    dataset = Dataset.open(folder)
    errors = denoise_errors(model, dataset.systems(), dataset.systems(), task, seed=5)
    assert errors["displacement_rmse_A"] < 0.7 * errors["baseline"]["displacement_rmse_A"]

    head = DenoiseHead(model)
    noisy = replace(rest, coords=rest.coords + np.random.default_rng(0).normal(0, 0.1, (40, 8, 3)))
    hidden = np.zeros(noisy.types.shape, dtype=bool)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turned = replace(noisy, coords=noisy.coords @ turn.T, cells=noisy.cells @ turn.T)
    back, elements = head(noisy, hidden, task.sigma_A)
    again, same = head(turned, hidden, task.sigma_A)
    np.testing.assert_allclose(again, back @ turn.T, atol=1e-8)
    np.testing.assert_array_equal(same, elements)
    np.testing.assert_allclose(back.sum(axis=1), 0.0, atol=1e-8)  # no drift

    found = read_checkpoint(run.checkpoint)
    assert found.heads == ()
    new = Head("potential", data["potential"])
    tuned = finetune_job(found, [new], {"potential": FRESH}, ("Cu", "Au"), SETTINGS)
    says = DeepmdPredictor(DeepmdTrainer().train(tuned, tmp_path / "tuned").frozen["potential"])
    assert np.isfinite(says.predict(emt_system(2, seed=9)).forces).all()


def _at_rest(frames):
    from ase.build import bulk

    start = bulk("Cu", "fcc", a=3.8, cubic=True).repeat((2, 1, 1))
    return start.get_scaled_positions() @ frames.cells


@pytest.mark.slow
def test_spin_head(tmp_path, in_process):  # noqa: F811
    rng = np.random.default_rng(0)
    frames = emt_system(6, seed=1)
    size = (6, 3 * frames.natoms)
    magnetic = (frames.types == 0).repeat(3, axis=1)
    others = {
        "spin": rng.normal(size=size) * magnetic, "force_mag": rng.normal(size=size) * magnetic
    }  # fmt: skip
    folder = write_dataset(tmp_path / "spin", replace(frames, virials=None, others=others))
    task = SpinTask(elements=(frames.type_map[0],))
    job = TrainJob([Head("spin", folder, task=task)], MODEL, TYPE_MAP, replace(SETTINGS, steps=20))
    run = DeepmdTrainer().train(job, tmp_path / "run")
    dataset = Dataset.open(folder)
    baseline = Baseline(dataset_references(dataset))
    errors = spin_errors(run.frozen["spin"], dataset.systems(), baseline, task)
    assert errors["force_rmse_meV_per_A"] > 0
    assert errors["magnetic_force_rmse_meV_per_muB"] > 0
    # The moments are of unit variance, and only those of the magnetic element count.
    assert errors["baseline"]["magnetic_force_rmse_meV_per_muB"] == pytest.approx(1000, rel=0.2)


def test_dataset_without_the_label_is_refused(data):
    from lamflow.train.deepmd_input import find_data

    with pytest.raises(InputError, match=r"no system \(type.raw\) with charge.npy"):
        find_data(Head("q", data["gap"], task=PropertyTask(label="charge")))
