"""`kind: distill`: teach a small, fast student what a large model knows of one application."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from lamflow.config.base import (
    Integer,
    JsonObject,
    Name,
    Number,
    PositiveInteger,
    PositiveNumber,
    StrictModel,
)
from lamflow.config.compress import Deployment
from lamflow.config.learn import PathOrMapping, StructureSpec, distinct, named
from lamflow.config.learn_steps import Converged, Fraction, LoopTraining
from lamflow.config.location import Location
from lamflow.config.model_ref import ModelRef
from lamflow.config.run import Profiles, RunSettings

SIZES = ("nano", "micro", "small")
"""Sizes of students, the fastest first; each is a preset ``student-SIZE``."""


class StudentSpec(StrictModel):
    """Which network the student is."""

    size: Literal["nano", "micro", "small", "auto"] | None = None
    """nano, micro or small; auto trains all three briefly and keeps the fastest that meets the
    goal, or the most accurate if none does."""
    preset: str | None = None
    """A preset's name instead of a size; DeePMD-kit must be able to compress it."""
    descriptor: JsonObject = Field(default_factory=dict)
    """Keys of deepmd's `model.descriptor` that replace the preset's, such as rcut (Å) and sel."""
    fitting_net: JsonObject = Field(default_factory=dict)
    """Keys of deepmd's `model.fitting_net` that replace the preset's, such as neuron."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.size is None) == (self.preset is None):
            raise PydanticCustomError("student", "give either size or preset")
        return self

    @property
    def presets(self) -> tuple[str, ...]:
        """Names of the presets to try; one unless the size is auto."""
        if self.preset is not None:
            return (self.preset,)
        sizes = SIZES if self.size == "auto" else (self.size,)
        return tuple(f"student-{size}" for size in sizes)

    @property
    def overrides(self) -> JsonObject:
        """What is laid over the preset, by section of deepmd's `model`; empty ones left out."""
        sections = {"descriptor": self.descriptor, "fitting_net": self.fitting_net}
        return {name: section for name, section in sections.items() if section}


def _student(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return {"size": value} if value in (*SIZES, "auto") else {"preset": value}


class _SizeOrMapping:
    """Tells editors that a size's or a preset's name will do."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        text = {"type": "string", "description": "A size, auto, or a preset."}
        return {"anyOf": [text, handler(core_schema)]}


class Domain(StrictModel):
    """What the student is for."""

    structures: Annotated[
        tuple[StructureSpec, ...],
        Field(min_length=1, examples=[["crystal.cif"]]),
        BeforeValidator(named),
        PathOrMapping(),
        AfterValidator(distinct),
    ]
    """Where trajectories start: paths, or mappings with `name` and `path`."""
    temperatures_K: Annotated[  # noqa: N815 - the issue's and the peers' name
        tuple[PositiveNumber, ...], Field(min_length=1, examples=[[300, 1000]])
    ]
    """Temperatures of the trajectories, K."""
    pressures_GPa: tuple[Number, ...] = ()  # noqa: N815
    """Pressures of the trajectories, GPa; without any the cell stays as it is (NVT)."""


class StudentExploration(StrictModel):
    """The trajectories of each iteration: every temperature, at every pressure."""

    steps: PositiveInteger = 1000
    """Steps of a trajectory."""
    timestep: PositiveNumber = 1.0
    """Time step, fs; 0.5 or less with hydrogen."""
    save_every: PositiveInteger = 20
    """Steps between frames that the teacher is asked about."""
    runs: PositiveInteger = 1
    """Trajectories from each structure at each temperature and pressure."""
    walltime: PositiveNumber = 60.0
    """Longest time of one trajectory, minutes."""


class DistillStart(StrictModel):
    """The first frames, labelled by the teacher."""

    frames: PositiveInteger = 40
    """Random changes of the structures, shared out evenly."""
    rattle: Annotated[Number, Field(ge=0)] = 0.1
    """Standard deviation of each coordinate's move, Å."""
    strain: Annotated[Number, Field(ge=0, lt=0.5)] = 0.03
    """Largest component of the strain of a crystal's cell (no unit)."""
    teacher_runs: Annotated[Integer, Field(ge=0)] = 1
    """Trajectories that the teacher drives, as many as `explore.runs` counts; 0: none."""


class DistillSelection(StrictModel):
    """Which frames the student is taught in each iteration."""

    labels: PositiveInteger = 60
    """Frames, at most."""
    force_error: PositiveNumber = 0.3
    """Frames where the worst atom's force differs by more than this from the teacher's, eV/Å, are
    candidates; of them the most diverse are taken."""
    hold_out: Annotated[Number, Field(gt=0, lt=1)] = 0.1
    """Fraction of the frames (0 to 1) that is not trained on."""


class Goal(StrictModel):
    """When the student is good enough: all of it on trajectories that the student drives."""

    force_rmse: PositiveNumber
    """Largest force RMSE against the teacher, meV/Å."""
    accurate: Fraction = 0.8
    """Fraction (0 to 1) of the frames below `select.force_error`."""
    iterations: PositiveInteger = 1
    """Iterations in a row; trajectories of each have other velocities."""

    def converged(self) -> Converged:
        """The same for the loop; a trajectory that a guard ended never meets it."""
        return Converged(
            accurate=self.accurate, force_rmse=self.force_rmse, iterations=self.iterations
        )


class DistillBudget(StrictModel):
    """What the loop may cost; raising it and submitting again goes on from there."""

    iterations: Annotated[Integer, Field(ge=1, le=99)] = 4
    """Rounds of explore, ask the teacher, select, train."""


class StudentTraining(LoopTraining):
    """How the students are trained: from scratch at first, continued later."""

    committee: Annotated[Integer, Field(ge=1)] = 1
    """Students of different seeds. The best on held-out frames drives; the worst disagreement of
    any of them with the teacher decides which frames are taken."""
    continued_steps: PositiveInteger | None = None
    """Steps of each later iteration; without it, half of `steps`."""
    brief_steps: PositiveInteger | None = None
    """Steps of the trial of each size of `student: auto`; without it, half of `steps`."""


class Trust(StrictModel):
    """Where the teacher is trusted: outside of it a frame gets no label."""

    largest_force: PositiveNumber = 50.0
    """Largest force on an atom, eV/Å."""
    committee: tuple[ModelRef, ...] = ()
    """More models of the teacher's training, such as its other seeds."""
    force_deviation: PositiveNumber = 1.0
    """Largest deviation of teacher and `committee` about an atom's force, eV/Å."""
    data: Location | None = None
    """Frames that the teacher was trained on, or some of them."""
    distance: PositiveNumber = 2.0
    """Largest distance from `data` in the teacher's descriptor space, in units of the 95th
    percentile of the distances of its frames from each other's nearest."""


class Proof(StrictModel):
    """What is measured with the deployed student."""

    nvt_ps: PositiveNumber | None = None
    """Length of the NVT runs at the highest temperature, ps; without it 10 times a training
    trajectory's."""
    nvt_runs: PositiveInteger = 1
    """NVT runs from each structure."""
    nve_ps: PositiveNumber = 10.0
    """Length of the NVE run whose drift is measured, ps."""
    teacher_ps: PositiveNumber = 1.0
    """Length of the teacher's run for its radial distribution, ps."""
    sizes: Annotated[tuple[PositiveInteger, ...], Field(min_length=1)] = (32, 192, 1000)
    """Atoms of the cells that are timed; the first structure is repeated to have about as many."""
    slowest: PositiveNumber = 10.0
    """A model is not timed beyond the size at which a step takes longer, s."""


class DistillConfig(StrictModel):
    """Teach a student what a teacher knows, where the student goes; compress, prove, report."""

    kind: Literal["distill"]
    """What to do."""
    name: Annotated[Name, Field(examples=["my-student"])]
    """Name of the run and its folder: lower case letters, digits, - and _."""
    seed: Annotated[Integer, Field(ge=0, lt=2**31)] = 1
    """Seed of all randomness: weights, velocities, selection."""
    teacher: Annotated[ModelRef, Field(examples=["lamflow-runs/my-model/result/model"])]
    """The large model: a model folder, a .pt or .pth file, or name@version in the registry."""
    head: str | None = None
    """Head of a multi-task teacher; not needed if there is only one."""
    student: Annotated[
        StudentSpec, Field(examples=["nano"]), BeforeValidator(_student), _SizeOrMapping()
    ] = StudentSpec(size="auto")
    """nano, micro, small, auto, a preset's name, or a mapping that overrides parts of one."""
    domain: Annotated[
        Domain, Field(examples=[{"structures": ["crystal.cif"], "temperatures_K": [300]}])
    ]
    """Structures, temperatures and pressures that the student is for."""
    goal: Annotated[Goal, Field(examples=[{"force_rmse": 100}])]
    """When it is good enough."""
    budget: DistillBudget = DistillBudget()
    """What the loop may cost."""
    train: Annotated[StudentTraining, Field(examples=[{"steps": 2000}])]
    """How students are trained."""
    explore: StudentExploration = StudentExploration()
    """The trajectories of each iteration."""
    start: DistillStart = DistillStart()
    """The first frames."""
    select: DistillSelection = DistillSelection()
    """Which frames are learnt."""
    trust: Trust = Trust()
    """Where the teacher is trusted."""
    test: Location | None = None
    """Frames with DFT labels, seen by neither teacher nor student; only for the proof."""
    deploy: Deployment = Deployment()
    """How the student is compressed."""
    proof: Proof = Proof()
    """What is measured at the end."""
    run: RunSettings = RunSettings()
    """Time limits and retries."""
    resources: Profiles = Field(default_factory=dict)
    """Where and on what the steps run in a cluster, by profile."""
