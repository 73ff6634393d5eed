"""Training throughput through lamflow and through DeePMD-kit alone; inference throughput.

``python benchmarks/training.py DATASET [PRESET] [STEPS]`` trains PRESET (dpa2-tiny) for STEPS
(200) steps of one frame on DATASET, first by ``lamflow submit``, then by
``dp --pt train`` of the input that lamflow wrote, in a temporary folder, and prints for each the
seconds of 100 steps as DeePMD-kit's own log has them (wall), the CPU seconds of the whole command,
and at the end the ratio and the seconds of 100 evaluations of one frame. The device is the one that
DeePMD-kit finds: run it on a GPU for the figures that count, such as

``python benchmarks/training.py open/pretrain/water_pbe0ts dpa2-medium 1000``
"""

import re
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import yaml

_BATCH = re.compile(r"Batch +(\d+): total wall time = ([\d.]+) s")


def cpu_seconds(command: list[str], folder: Path) -> float:
    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = spent()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return spent() - before


def seconds_of_100_steps(log: str) -> float:
    """Wall seconds of 100 steps; the first interval, with its warm-up, is left out."""
    found = [(int(step), float(wall)) for step, wall in _BATCH.findall(log)]
    intervals = [(after - before, wall) for (before, _), (after, wall) in pairwise(found[1:])]
    return 100 * sum(wall for _, wall in intervals) / sum(steps for steps, _ in intervals)


def evaluation(model: Path, dataset: Path) -> float:
    from lamflow.data.dataset import Dataset
    from lamflow.evaluate.predictor import DeepmdPredictor

    predictor = DeepmdPredictor(model)
    frame = next(Dataset.open(dataset).systems()).take([0])
    predictor.predict(frame)
    predictor.predict(frame)  # TorchScript compiles in the first two
    began = time.perf_counter()
    for _ in range(20):
        predictor.predict(frame)
    return 5 * (time.perf_counter() - began)


def main() -> None:
    dataset = Path(sys.argv[1]).resolve()
    preset = sys.argv[2] if len(sys.argv) > 2 else "dpa2-tiny"
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    every = max(1, steps // 10)
    config = {
        "kind": "pretrain", "name": "speed",
        "datasets": [{"name": "speed", "path": str(dataset)}],
        "model": preset,
        "train": {"steps": steps, "batch": 1, "report_every": every, "save_every": steps,
                  "threads": 1, "deepmd": {"model": {"data_stat_nbatch": 10}}},
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "speed.yaml").write_text(yaml.safe_dump(config))
        submit = [sys.executable, "-m", "lamflow", "submit", "speed.yaml", "--json"]
        through = cpu_seconds(submit, folder)
        run = folder / "lamflow-runs/speed"
        scratch = next(run.glob("scratch/train-*"))
        alone_folder = folder / "alone"
        alone_folder.mkdir()
        (alone_folder / "input.json").write_bytes((scratch / "input.json").read_bytes())
        environment = [
            "env", "OMP_NUM_THREADS=1", "OMP_WAIT_POLICY=PASSIVE", "NUM_WORKERS=0",
            "DP_INTRA_OP_PARALLELISM_THREADS=1", "DP_INTER_OP_PARALLELISM_THREADS=1",
        ]  # fmt: skip
        train = [sys.executable, "-m", "deepmd", "--pt", "train", "input.json",
                 "--skip-neighbor-stat", "-l", "train.log"]  # fmt: skip
        alone = cpu_seconds([*environment, *train], alone_folder)
        ours = seconds_of_100_steps((scratch / "train.log").read_text())
        theirs = seconds_of_100_steps((alone_folder / "train.log").read_text())
        device = re.findall(r"Computing Device: +(\S+)", (scratch / "train.log").read_text())[-1]
        model = run / "result/model/frozen/speed.pth"
        print(f"{preset}, {dataset.name}, {steps} steps, on {device}")
        print(f"lamflow submit: {ours:.2f} s per 100 steps; {through:.0f} CPU s in all")
        print(f"dp --pt train:  {theirs:.2f} s per 100 steps; {alone:.0f} CPU s in all")
        print(f"throughput through lamflow / alone: {theirs / ours:.3f}")
        if model.exists():
            print(f"inference: {evaluation(model, dataset):.2f} s per 100 evaluations")


if __name__ == "__main__":
    main()
