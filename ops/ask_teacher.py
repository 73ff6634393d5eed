"""Operator: label frames with the teacher, where it is trusted."""

from collections.abc import Mapping, Sequence

from lamflow.config.base import StrictModel
from lamflow.distill.teacher import Doubts, TrustLimits, doubts_about
from lamflow.distill.teacher import ask_teacher as ask
from lamflow.engine.operator import StepIO, operator
from lamflow.evaluate.predictor import DeepmdPredictor, Predictor
from lamflow.learn.committee import frozen
from lamflow.train.given import open_model


class AskTeacherParams(StrictModel):
    """Where the teacher is trusted."""

    limits: TrustLimits
    """The limits."""
    head: str | None
    """Head of the committee's models."""


@operator(
    params=AskTeacherParams,
    inputs={"teacher": "model folder of one head", "data": "frames that taught it"},
    groups={"asked": "folders with frames", "committee": "other models of its training"},
    outputs={"labels": "labelled frames, quarantine and reasons"},
    numbers=("asked", "labelled", "refused"),
)
def ask_teacher(params: AskTeacherParams, io: StepIO) -> Mapping[str, int]:
    """Label all frames in batches; those that the teacher can't be trusted about get no label."""

    def load(elements: Sequence[str]) -> tuple[Predictor, Doubts]:
        committee = [
            open_model(folder).predictor(params.head)
            for folder in io.groups.get("committee", {}).values()
        ]
        teacher, data = io.inputs["teacher"], io.inputs.get("data")
        doubts = doubts_about(teacher, params.limits, committee, data, elements)
        return DeepmdPredictor(frozen(teacher)), doubts

    done = ask(io.groups["asked"], load, io.outputs["labels"], progress=io.progress)
    return {
        "asked": done["asked"], "labelled": done["labelled"], "refused": len(done["rejected"]),
    }  # fmt: skip
