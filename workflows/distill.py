"""`kind: distill`: start → {explore → ask the teacher → pick → train → check} → deploy → proof.

The loop is unrolled up to `budget.iterations`, as in `kind: learn`: once it is over, the steps
that are left hand on what they got.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamflow.ops.ask_teacher import AskTeacherParams, ask_teacher
from lamflow.ops.check_students import CheckStudentsParams, check_students
from lamflow.ops.choose_size import ChooseSizeParams, choose_size
from lamflow.ops.compress import CompressParams, compress
from lamflow.ops.distill_report import DistillReportParams, distill_report
from lamflow.ops.draw import DrawParams, draw
from lamflow.ops.explore import ExploreParams, explore
from lamflow.ops.gather import GatherParams, gather
from lamflow.ops.pick_disagreements import PickParams, pick_disagreements
from lamflow.ops.prove_dynamics import ProveDynamicsParams, prove_dynamics
from lamflow.ops.prove_errors import ProveErrorsParams, prove_errors
from lamflow.ops.take_teacher import TakeTeacherParams, take_teacher
from lamflow.ops.time_models import TimeModelsParams, time_models
from lamflow.ops.train_student import (
    TrainStudentParams,
    train_student,
    train_student_on_one_core,
)

from lamflow.config.base import JsonObject
from lamflow.config.distill import DistillConfig
from lamflow.config.model_ref import is_stage
from lamflow.config.portable import portable
from lamflow.data.elements import sorted_symbols
from lamflow.distill.proof import DynamicsSettings
from lamflow.distill.teacher import TrustLimits
from lamflow.engine.graph import Graph, Origin, Output, Step
from lamflow.engine.inputs import model_source_of, source_of
from lamflow.errors import InputError, Problem
from lamflow.learn.frames import read_structures
from lamflow.train import presets

_SEEDS_OF_ITERATION = 100_000
_FAILURES = 0.5
_TIMES_LONGER = 10  # a proof outlasts what the student was trained on
_FS_PER_PS = 1000.0


@dataclass(frozen=True)
class _Round:
    """What an iteration leaves for the next; iteration 0 is the start."""

    labels: Output
    models: dict[str, Output]
    check: Step
    chosen: Output | None


def build(config: DistillConfig) -> Graph:
    """Compose the graph of a distillation.

    Raises
    ------
    InputError
        Structures can't be read, the teacher does not know an element or has no such head, or the
        student could not be compressed.
    """
    return _Builder(config).build()


class _Builder:
    def __init__(self, config: DistillConfig) -> None:
        self.config = config
        self.graph = Graph(config.kind, config.name)
        self.goal = config.goal.converged()
        self.structures: dict[str, Origin] = {
            spec.name: source_of(spec.path) for spec in config.domain.structures
        }
        self.students = {
            name: presets.load(name, config.student.overrides) for name in config.student.presets
        }
        _refuse_slow(config, self.students)
        source = model_source_of(config.teacher)
        self.type_map = _type_map(config, Path(source.location))
        self.teacher = self.graph.add(
            "teacher", take_teacher, TakeTeacherParams(head=config.head), {"model": source}
        )["teacher"]
        self.committee: dict[str, Origin] = {
            str(n): model_source_of(ref) for n, ref in enumerate(config.trust.committee, start=1)
        }
        self.size: Output | None = None

    def build(self) -> Graph:
        rounds = [self._start()]
        for number in range(1, self.config.budget.iterations + 1):
            rounds.append(self._iteration(number, rounds[-1]))
        self._end(rounds)
        return self.graph

    def _start(self) -> _Round:
        config = self.config
        params = DrawParams(
            frames=config.start.frames, rattle_A=config.start.rattle, strain=config.start.strain,
            seed=config.seed,
        )  # fmt: skip
        drawn = self.graph.add("start-draw", draw, params, groups={"structures": self.structures})
        asked = {"drawn": drawn["chosen"]}
        if config.start.teacher_runs:
            asked |= self._explore("start", 0, None, self.teacher, config.start.teacher_runs)
        bought = self._ask("start", asked)
        labels = self._gather("start", 0, bought, None)
        if len(self.students) > 1:
            self.size = self._choose_size(labels)
        models = self._train("start", 0, labels, {})
        return _Round(labels, models, self._check("start", 0, labels, models, None, None), None)

    def _iteration(self, number: int, before: _Round) -> _Round:
        name = f"iter-{number:02d}"
        explored = self._explore(
            name, number, before.check["checked"], before.check["model"], self.config.explore.runs
        )
        picked = self.graph.add(
            f"{name}-pick",
            pick_disagreements,
            PickParams(
                wished=self.config.select.force_error, goal=self.goal,
                labels=self.config.select.labels, seed=self._seed(number),
            ),
            {
                "checked": before.check["checked"],
                "model": before.check["model"],
                "labels": before.labels,
            },
            {
                "asked": dict(self._ask(name, explored)),
                "explored": dict(explored),
                "models": dict(before.models),
            },
        )["chosen"]  # fmt: skip
        labels = self._gather(name, number, {"picked": picked}, before.labels)
        models = self._train(name, number, labels, before.models)
        checked = self._check(name, number, labels, models, picked, before)
        return _Round(labels, models, checked, picked)

    def _explore(
        self, name: str, number: int, checked: Output | None, model: Output, runs: int
    ) -> dict[str, Output]:
        """Add a step for each temperature and pressure of the domain."""
        config = self.config
        inputs: dict[str, Origin] = {"model": model}
        if checked is not None:
            inputs["checked"] = checked
        return {
            condition: self.graph.add(
                f"{name}-explore-{condition}",
                explore,
                ExploreParams(
                    name=condition, explorer="md", settings=settings, runs=runs,
                    seed=self._seed(number), walltime_s=60 * config.explore.walltime,
                    failures=_FAILURES,
                ),
                inputs,
                {"structures": self.structures},
            )["explored"]
            for condition, settings in conditions(config).items()
        }  # fmt: skip

    def _ask(self, name: str, asked: dict[str, Output]) -> dict[str, Output]:
        """Let the teacher label the frames of each condition."""
        trust = self.config.trust
        params = AskTeacherParams(
            limits=TrustLimits(
                largest_force=trust.largest_force, force_deviation=trust.force_deviation,
                distance=trust.distance,
            ),
            head=self.config.head,
        )  # fmt: skip
        inputs: dict[str, Origin] = {"teacher": self.teacher}
        if trust.data is not None:
            inputs["data"] = source_of(trust.data)
        return {
            condition: self.graph.add(
                f"{name}-ask-{condition}",
                ask_teacher,
                params,
                inputs,
                {"asked": {condition: frames}, "committee": self.committee},
            )["labels"]
            for condition, frames in asked.items()
        }

    def _gather(
        self, name: str, number: int, bought: dict[str, Output], previous: Output | None
    ) -> Output:
        params = GatherParams(
            name=self.config.name, dft=f"teacher {Path(self.config.teacher).name}",
            hold_out=self.config.select.hold_out, failures=1.0, seed=self._seed(number),
        )  # fmt: skip
        return self.graph.add(
            f"{name}-gather",
            gather,
            params,
            {"previous": previous} if previous else {},
            {"bought": dict(bought)},
        )["labels"]

    def _choose_size(self, labels: Output) -> Output:
        """Train each size briefly, and keep one."""
        steps = self.config.train.brief_steps or max(1, self.config.train.steps // 2)
        candidates: dict[str, Origin] = {
            preset: self._student(f"start-try-{preset}", {"labels": labels}, model, 0, steps)
            for preset, model in self.students.items()
        }
        params = ChooseSizeParams(models=self.students, goal=self.config.goal.force_rmse)
        return self.graph.add(
            "start-size", choose_size, params, {"labels": labels}, {"candidates": candidates}
        )["size"]

    def _train(
        self, name: str, number: int, labels: Output, before: dict[str, Output]
    ) -> dict[str, Output]:
        models = {}
        for member in range(1, self.config.train.committee + 1):
            inputs: dict[str, Origin] = {"labels": labels}
            if before:
                inputs["previous"] = before[str(member)]
            model: JsonObject | None = None
            if self.size is None:
                model = next(iter(self.students.values()))
            else:
                inputs["size"] = self.size
            models[str(member)] = self._student(
                f"{name}-train-{member}", inputs, model, self._seed(number) + member,
                self.config.train.steps,
            )  # fmt: skip
        return models

    def _student(
        self, name: str, inputs: dict[str, Origin], model: JsonObject | None, seed: int, steps: int
    ) -> Output:
        train = self.config.train
        left_out = {"committee", "continued_steps", "brief_steps"}
        settings: dict[str, Any] = train.model_dump(exclude=left_out) | {
            "seed": seed or self.config.seed,
            "steps": steps,
            "save_every": min(train.save_every, steps),
        }
        params = TrainStudentParams(
            name=self.config.name, model=model, type_map=self.type_map, settings=settings,
            continued_steps=train.continued_steps or max(1, train.steps // 2),
        )  # fmt: skip
        operator = train_student if train.threads != 1 else train_student_on_one_core
        return self.graph.add(name, operator, params, inputs)["model"]

    def _check(
        self,
        name: str,
        number: int,
        labels: Output,
        models: dict[str, Output],
        chosen: Output | None,
        before: _Round | None,
    ) -> Step:
        inputs: dict[str, Origin] = {"labels": labels}
        if chosen and before:
            inputs |= {
                "chosen": chosen,
                "checked": before.check["checked"],
                "previous": before.check["model"],
            }
        params = CheckStudentsParams(iteration=number, goal=self.goal, seed=self.config.seed)
        return self.graph.add(
            f"{name}-check", check_students, params, inputs, {"models": dict(models)}
        )

    def _end(self, rounds: list[_Round]) -> None:
        """Deploy the student, prove it, report."""
        config, last = self.config, rounds[-1]
        model = last.check["model"]
        deploy = self.graph.add(
            "deploy",
            compress,
            CompressParams(name=config.name, head=None, settings=config.deploy.settings()),
            {"model": model, "frames": last.labels},
        )["deploy"]
        both: dict[str, Origin] = {"deploy": deploy, "teacher": self.teacher}
        test: dict[str, Origin] = {"test": source_of(config.test)} if config.test else {}
        errors = self.graph.add(
            "prove-errors",
            prove_errors,
            ProveErrorsParams(seed=config.seed),
            {**both, "labels": last.labels, **test},
        )
        dynamics: dict[str, Origin] = {
            name: self.graph.add(
                f"prove-{name}", prove_dynamics, ProveDynamicsParams(settings=_dynamics(config)),
                {**both, "structure": structure},
            )["dynamics"]
            for name, structure in self.structures.items()
        }  # fmt: skip
        speed = self.graph.add(
            "prove-speed",
            time_models,
            TimeModelsParams(sizes=config.proof.sizes, slowest_s=config.proof.slowest),
            {**both, "model": model, "structure": next(iter(self.structures.values()))},
        )["speed"]
        inputs: dict[str, Origin] = {
            "checked": last.check["checked"],
            "model": model,
            "deploy": deploy,
            "errors": errors["errors"],
            "parity": errors["parity"],
            "speed": speed,
        }
        end = self.graph.add(
            "report",
            distill_report,
            DistillReportParams(name=config.name, config=portable(config)),
            inputs | ({"size": self.size} if self.size else {}),
            {
                "rounds": {str(n): one.check["checked"] for n, one in enumerate(rounds)},
                "chosen": {str(n): one.chosen for n, one in enumerate(rounds) if one.chosen},
                "dynamics": dynamics,
                "steps": self.graph.records(),
            },
        )
        self.graph.results = {
            "deploy": deploy,
            "model": model,
            "labels": last.labels,
            "state": last.check["checked"],
            "metrics.json": end["metrics"],
            "report.html": end["report"],
            "card.json": end["card"],
        }

    def _seed(self, number: int) -> int:
        """Seed of an iteration; students and trajectories count on from it."""
        return (self.config.seed + _SEEDS_OF_ITERATION * number) % 2**31


def conditions(config: DistillConfig) -> dict[str, JsonObject]:
    """Settings of the dynamics at each temperature and pressure, by a readable name."""
    explore = config.explore
    found: dict[str, JsonObject] = {}
    for temperature in config.domain.temperatures_K:
        common = {
            "steps": explore.steps, "temperature_K": temperature, "timestep_fs": explore.timestep,
            "save_every": explore.save_every,
        }  # fmt: skip
        if not config.domain.pressures_GPa:
            found[f"nvt-{temperature:g}k".replace(".", "p")] = common
        for pressure in config.domain.pressures_GPa:
            ensemble = {"ensemble": "npt-isotropic", "pressure_GPa": pressure}
            sign = "minus-" if pressure < 0 else ""
            name = f"npt-{temperature:g}k-{sign}{abs(pressure):g}gpa"
            found[name.replace(".", "p")] = {**common, "ensemble": ensemble}
    return found


def _dynamics(config: DistillConfig) -> DynamicsSettings:
    proof, explore = config.proof, config.explore
    longest = _TIMES_LONGER * explore.steps * explore.timestep / _FS_PER_PS
    return DynamicsSettings(
        temperature_K=max(config.domain.temperatures_K),
        timestep_fs=explore.timestep,
        nvt_ps=longest if proof.nvt_ps is None else proof.nvt_ps,
        nvt_runs=proof.nvt_runs,
        nve_ps=proof.nve_ps,
        teacher_ps=proof.teacher_ps,
        seed=config.seed,
    )


def _type_map(config: DistillConfig, teacher: Path) -> tuple[str, ...]:
    """Return the elements of the domain, all of which the teacher must know."""
    paths = {spec.name: Path(source_of(spec.path).location) for spec in config.domain.structures}
    found = {
        system.type_map[index]
        for system in read_structures(paths).values()
        for index in system.types[0]
    }
    if not is_stage(config.teacher):  # that of a stage is not there yet
        _check_teacher(config, teacher, found)
    return sorted_symbols(found)


def _check_teacher(config: DistillConfig, teacher: Path, elements: set[str]) -> None:
    from lamflow.train.given import open_model

    given = open_model(teacher)
    given.head(config.head)
    if unknown := sorted(elements - set(given.type_map)):
        what = f"does not know {', '.join(unknown)}; it knows {', '.join(given.type_map)}"
        raise InputError(Problem(str(teacher), "teacher", what))


def _refuse_slow(config: DistillConfig, students: dict[str, JsonObject]) -> None:
    """Refuse students that could not be compressed, before anything is trained."""
    from lamflow.deploy.compress import why_not

    for name, model in students.items():
        if config.deploy.compress and (reason := why_not(model)):
            what = (
                f"{name} can't be compressed: {reason}; take nano, micro, small or auto, or set "
                "deploy.compress: false"
            )
            raise InputError(Problem("", "student", what))
