"""Operator: time teacher, frozen student and compressed student."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.deploy.package import MODEL
from lamflow.deploy.speed import time_models as measure
from lamflow.engine.operator import StepIO, operator
from lamflow.files import write_json
from lamflow.label.atoms import to_atoms
from lamflow.learn.committee import frozen
from lamflow.learn.frames import read_structures


class TimeModelsParams(StrictModel):
    """What is timed."""

    sizes: tuple[int, ...]
    """Numbers of atoms."""
    slowest_s: float
    """Longest step, s; larger cells are left out."""


@operator(
    params=TimeModelsParams,
    inputs={
        "teacher": "model folder of one head",
        "model": "the student before compression",
        "deploy": "the deployment",
        "structure": "repeated to each size",
    },
    outputs={"speed": "times and memory as JSON"},
    numbers=("speedup", "atoms"),
)
def time_models(params: TimeModelsParams, io: StepIO) -> Mapping[str, float | int | None]:
    """Time a step of each model, on one thread (and the GPU if there is one)."""
    start = next(iter(read_structures({"start": io.inputs["structure"]}).values()))
    models = {
        "teacher": frozen(io.inputs["teacher"]),
        "frozen": frozen(io.inputs["model"]),
        "deployed": io.inputs["deploy"] / MODEL,
    }
    found = measure(
        models, to_atoms(start, 0), params.sizes, io.scratch, slowest_s=params.slowest_s
    )
    write_json(io.outputs["speed"], found)
    both = list(zip(found["teacher"], found["deployed"], strict=False))
    if not both:
        return {"speedup": None, "atoms": None}
    teacher, student = both[-1]
    key = "wall_ms" if student["device"] != "cpu" else "cpu_ms"
    return {"speedup": round(teacher[key] / student[key], 1), "atoms": student["atoms"]}
