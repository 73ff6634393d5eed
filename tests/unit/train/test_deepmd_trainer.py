import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lamflow.errors import InputError
from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.testing.trainer import TYPE_MAP, TrainerConformance, emt_system, write_dataset
from lamflow.train import presets
from lamflow.train.deepmd_trainer import DeepmdTrainer, check_job
from lamflow.train.protocol import Head, TrainingError, TrainJob, TrainSettings

MODEL = presets.load(
    "dpa1-tiny",
    {
        "descriptor": {"neuron": [4, 8], "axis_neuron": 4, "precision": "float64", "seed": 1},
        "fitting_net": {"neuron": [8, 8], "precision": "float64"},
    },
)


@pytest.mark.slow
class TestDeepmdTrainer(TrainerConformance):
    model = MODEL

    def make_trainer(self):
        return DeepmdTrainer()

    def make_predictor(self, model):
        return DeepmdPredictor(model)


def job(folder: Path, **settings) -> TrainJob:
    data = write_dataset(folder / "data", emt_system(4, seed=1))
    values = {"steps": 10, "batch": 1, "report_every": 1, "threads": 1, **settings}
    return TrainJob([Head("alloy", data)], MODEL, TYPE_MAP, TrainSettings(**values))


@pytest.mark.slow
def test_loss_that_is_not_a_number_ends_the_run(tmp_path):
    wild = job(tmp_path, steps=10_000)
    forces = next((tmp_path / "data").rglob("force.npy"))
    np.save(forces, np.full_like(np.load(forces), np.nan))
    with pytest.raises(
        TrainingError, match=r"not a number \(NaN detected at batch +1\).*wrong labels"
    ):
        DeepmdTrainer().train(wild, tmp_path / "run")


@pytest.mark.slow
def test_trainer_killed_with_sigkill_leaves_no_child(tmp_path):
    script = (
        "import sys; from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from test_deepmd_trainer import *\n"
        "work = Path(sys.argv[1])\n"
        "DeepmdTrainer().train(job(work, steps=100_000), work / 'run')\n"
    )
    run = tmp_path / "run"
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent)]
    )
    wait_for(lambda: (run / "lcurve.out").exists(), seconds=120)
    parent.kill()
    parent.wait()
    wait_for(lambda: not processes_in(run), seconds=10)


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.2)


def processes_in(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found.append(process.name)
        except OSError:
            continue
    return found


def test_log_tail_is_in_the_error(tmp_path):
    broken = job(tmp_path)
    next((tmp_path / "data").rglob("coord.npy")).write_bytes(b"not an array")
    with pytest.raises(
        TrainingError, match=r"exit code 1; the end of .*train.log:\n(.*\n)*.*Error"
    ):
        DeepmdTrainer().train(broken, tmp_path / "run")


def test_dataset_without_systems_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    alone = replace(job(tmp_path), heads=[Head("alloy", tmp_path / "empty")])
    with pytest.raises(InputError, match="alloy: no system"):
        DeepmdTrainer().train(alone, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_raw_input_is_checked_before_anything_is_written(tmp_path):
    wrong = job(tmp_path, deepmd={"training": {"numb_stepz": 5}})
    with pytest.raises(InputError, match=r"numb_stepz.*numb_steps"):
        DeepmdTrainer().train(wrong, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": []}, "heads: there are none"),
        ({"heads": [Head("a b", Path("x"))]}, "heads.a b: must start with a letter"),
        ({"heads": [Head("a", Path("x")), Head("a", Path("y"))]}, "heads.a: is used twice"),
        ({"heads": [Head("a", Path("x"), weight=-1.0)]}, "heads.a: weight -1.0 is not positive"),
        ({"settings": TrainSettings(steps=0)}, "train.steps: 0 is less than 1"),
        (
            {"settings": TrainSettings(steps=1, processes=999)},
            r"train.processes: 999 processes need as many (cores|GPUs), and \d+ are here",
        ),
    ],
)
def test_unusable_jobs_are_refused(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        check_job(replace(job(tmp_path), **change))


def two_heads(folder: Path, **settings) -> TrainJob:
    heads = [
        Head(f"alloy{seed}", write_dataset(folder / f"data{seed}", emt_system(6, seed=seed)))
        for seed in (1, 2)
    ]
    values = {"steps": 10, "batch": 1, "report_every": 1, "threads": 1, "save_every": 5}
    return TrainJob(heads, MODEL, TYPE_MAP, TrainSettings(**{**values, **settings}))


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="wants two cores")
def test_two_processes_train_one_model_on_cpus(tmp_path):
    result = DeepmdTrainer().train(two_heads(tmp_path, processes=2), tmp_path / "run")
    log = (tmp_path / "run/train.log").read_text()
    assert {"Rank: 0/2", "Rank: 1/2"} <= set(re.findall(r"Rank: \d/\d", log))
    assert set(result.frozen) == {"alloy1", "alloy2"}
    steps = re.findall(r"^ +(\d+) ", result.curve.read_text(), re.MULTILINE)
    assert steps == [str(n) for n in range(1, 11)]  # the second process writes nothing
    says = DeepmdPredictor(result.frozen["alloy1"]).predict(emt_system(1, seed=5))
    assert np.isfinite(says.forces).all()
