"""`kind: learn`: start → {explore → select → label → gather → train → check} → report.

The loop is unrolled up to `budget.iterations`. Once it is over, the steps that are left hand on
what they got. Keys of an iteration do not depend on how many follow.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lamflow.ops.check import CheckParams, check
from lamflow.ops.clean import CleanParams, clean
from lamflow.ops.draw import DrawParams, draw
from lamflow.ops.evaluate import EvaluateParams, evaluate
from lamflow.ops.explore import ExploreParams, explore
from lamflow.ops.gather import GatherParams, gather
from lamflow.ops.label import LabelParams, label
from lamflow.ops.learn_report import LearnReportParams, learn_report
from lamflow.ops.select import SelectParams, select
from lamflow.ops.train_member import TrainMemberParams, train_member, train_member_on_one_core
from lamflow.ops.tune_member import TuneMemberParams, tune_member, tune_member_on_one_core
from lamflow.ops.zero_shot import ZeroShotParams, zero_shot

from lamflow.config.base import StrictModel
from lamflow.config.finetune import BEST
from lamflow.config.learn import LearnConfig
from lamflow.data.elements import sorted_symbols
from lamflow.engine.graph import Graph, Origin, Output, Step
from lamflow.engine.inputs import model_source_of, network_of, source_of
from lamflow.engine.operator import Operator
from lamflow.errors import InputError
from lamflow.learn.cost import most
from lamflow.learn.frames import read_structures
from lamflow.train import presets
from lamflow.train.protocol import SINGLE_HEAD

_SEEDS_OF_ITERATION = 100_000


@dataclass(frozen=True)
class _Round:
    """What an iteration leaves for the next; iteration 0 is the start."""

    number: int
    labels: Output
    models: dict[str, Output]
    check: Step
    chosen: Output | None


def build(config: LearnConfig) -> Graph:
    """Compose the graph of a concurrent-learning run.

    Raises
    ------
    InputError
        Structures can't be read, or the labeller can't label them.
    """
    return _Builder(config).build()


def at_most(config: LearnConfig) -> tuple[dict[str, Any], str]:
    """Tell what the loop may cost, as numbers and in words; see `lamflow.learn.cost`."""
    frames = {
        spec.name: len(read_structures({spec.name: Path(source_of(spec.path).location)}))
        for spec in config.structures
    }
    limits = most(config, frames)
    return asdict(limits), limits.sentence(config.label.engine)


class _Builder:
    def __init__(self, config: LearnConfig) -> None:
        self.config = config
        self.graph = Graph(config.kind, config.name)
        self.structures: dict[str, Origin] = {
            spec.name: source_of(spec.path) for spec in config.structures
        }
        self.type_map = _type_map(config)
        pretrained = config.pretrained
        self.pretrained = model_source_of(pretrained.path) if pretrained else None
        self.zero_shot: Output | None = None
        self.datasets = {
            spec.name: self._clean(spec.name, spec.path, spec.format, spec.type_map)
            for spec in config.datasets
        }
        self.test = self._clean("test", config.test) if config.test else None

    def build(self) -> Graph:
        rounds = [self._start()]
        for number in range(1, self.config.budget.iterations + 1):
            rounds.append(self._iteration(number, rounds[-1]))
        self._end(rounds)
        return self.graph

    def _start(self) -> _Round:
        config = self.config
        chosen = None
        if config.first_labels:
            params = DrawParams(
                frames=config.first_labels, rattle_A=config.start.rattle,
                strain=config.start.strain, seed=config.seed,
            )  # fmt: skip
            chosen = self.graph.add("start-draw", draw, params, groups=self._structures())["chosen"]
        labels = self._labels("start", 0, chosen, None)
        self.zero_shot = self._zero_shot(labels)
        models = self._train("start", 0, labels, {})
        checked = self._check("start", 0, labels, models, None, None)
        return _Round(0, labels, models, checked, None)

    def _iteration(self, number: int, before: _Round) -> _Round:
        name = f"iter-{number:02d}"
        explored = self._explore(name, number, before)
        picked = self.graph.add(
            f"{name}-select",
            select,
            SelectParams(
                labels=self.config.select.labels,
                allowance=self.config.allowance(number),
                strategy=self.config.select.strategy,
                failures=self.config.converged.failures,
                seed=self._seed(number),
            ),
            {"checked": before.check["checked"], "labels": before.labels},
            {"models": before.models, "explored": explored},
        )
        labels = self._labels(name, number, picked["chosen"], before.labels)
        models = self._train(name, number, labels, before.models)
        checked = self._check(name, number, labels, models, picked["chosen"], before)
        return _Round(number, labels, models, checked, picked["chosen"])

    def _explore(self, name: str, number: int, before: _Round) -> dict[str, Output]:
        return {
            spec.name: self.graph.add(
                f"{name}-explore-{spec.name}",
                explore,
                ExploreParams(
                    name=spec.name,
                    explorer=spec.explorer,
                    settings=spec.settings,
                    runs=spec.runs,
                    seed=self._seed(number),
                    walltime_s=60 * spec.walltime,
                    failures=self.config.converged.failures,
                    stage=spec.stage,
                ),
                {"checked": before.check["checked"], "model": before.check["model"]},
                self._structures(spec.structures),
            )["explored"]
            for spec in self.config.explore
        }

    def _labels(
        self, name: str, number: int, chosen: Output | None, previous: Output | None
    ) -> Output:
        """Label what was chosen in a few steps, and gather it with what was there."""
        spec = self.config.label
        shares = range(spec.workers if chosen else 0)
        bought = {
            str(share + 1): self.graph.add(
                f"{name}-label-{share + 1}",
                label,
                LabelParams(
                    engine=spec.engine, settings=spec.settings, share=share, of=spec.workers,
                    walltime_s=60 * spec.walltime,
                ),
                {"chosen": chosen} if chosen else {},
            )["labels"]
            for share in shares
        }  # fmt: skip
        datasets = {
            spec.name: self.datasets[spec.name]
            for spec in self.config.datasets
            if spec.iteration == number
        }
        return self.graph.add(
            f"{name}-gather",
            gather,
            GatherParams(
                name=self.config.name,
                dft=_method(spec.engine, spec.settings),
                hold_out=self.config.select.hold_out,
                failures=self.config.converged.failures,
                seed=self._seed(number),
            ),
            {"previous": previous} if previous else {},
            {"bought": bought, "datasets": datasets},
        )["labels"]

    def _train(
        self, name: str, number: int, labels: Output, before: dict[str, Output]
    ) -> dict[str, Output]:
        config = self.config
        settings = config.train.model_dump(exclude={"committee"})
        settings["save_every"] = min(config.train.save_every, config.train.steps)
        models = {}
        for member in range(1, config.train.committee + 1):
            operator, params = self._member(settings | {"seed": self._seed(number) + member})
            inputs: dict[str, Origin] = {"labels": labels}
            if before:
                inputs["previous"] = before[str(member)]
            if self.pretrained and self.zero_shot:
                inputs |= {"pretrained": self.pretrained, "zero_shot": self.zero_shot}
            step = self.graph.add(f"{name}-train-{member}", operator, params, inputs)
            models[str(member)] = step["model"]
        return models

    def _zero_shot(self, labels: Output) -> Output | None:
        """Test what the pretrained model knows, its references refitted to the first labels."""
        if self.pretrained is None:
            return None
        inputs: dict[str, Origin] = {"model": self.pretrained, "data": labels}
        if self.test:
            inputs["test"] = self.test
        params = ZeroShotParams(part="validation")
        return self.graph.add("zero-shot", zero_shot, params, inputs)["table"]

    def _scratch(self, labels: Output) -> Output | None:
        """Train and test the pretrained model's network from random weights, same labels."""
        config = self.config
        if self.pretrained is None or not config.compare_scratch:
            return None
        settings = config.train.model_dump(exclude={"committee"}) | {"seed": config.seed}
        params = TrainMemberParams(
            name=f"{config.name}-scratch",
            model=network_of(self.pretrained),
            type_map=self.type_map,
            settings=settings,
        )
        alone = config.train.threads != 1
        operator = train_member if alone else train_member_on_one_core
        model = self.graph.add("scratch-train", operator, params, {"labels": labels})["model"]
        tested = self.graph.add(
            "scratch-evaluate",
            evaluate,
            EvaluateParams(head=SINGLE_HEAD, seed=config.seed, part="validation"),
            {"data": labels} | ({"test": self.test} if self.test else {}),
            {"models": {"1": model}},
        )
        return tested["errors"]

    def _member(self, settings: dict[str, Any]) -> tuple[Operator, StrictModel]:
        """Return what trains a member: from scratch or from a pretrained model."""
        config, alone = self.config, self.config.train.threads != 1
        if config.model:
            return train_member if alone else train_member_on_one_core, TrainMemberParams(
                name=config.name,
                model=presets.load(config.model.preset, config.model.overrides),
                type_map=self.type_map,
                settings=settings,
            )
        head = config.pretrained.head if config.pretrained else BEST
        return tune_member if alone else tune_member_on_one_core, TuneMemberParams(
            name=config.name, head=head, elements=self.type_map, settings=settings
        )

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
        groups: dict[str, dict[str, Origin]] = {"models": dict(models)}
        if self.test:
            inputs["test"] = self.test
        if chosen and before:
            inputs |= {
                "chosen": chosen,
                "checked": before.check["checked"],
                "previous": before.check["model"],
                "labels_before": before.labels,
            }
            groups["before"] = dict(before.models)
        params = CheckParams(
            iteration=number,
            force_error=self.config.select.force_error,
            failed_error=self.config.select.hopeless,
            converged=self.config.converged,
            stages=self.config.stages,
            seed=self.config.seed,
        )
        return self.graph.add(f"{name}-check", check, params, inputs, groups)

    def _end(self, rounds: list[_Round]) -> None:
        last = rounds[-1]
        compared = {
            name: output
            for name, output in (
                ("zero_shot", self.zero_shot),
                ("scratch", self._scratch(last.labels)),
            )
            if output
        }
        end = self.graph.add(
            "report",
            learn_report,
            LearnReportParams(
                name=self.config.name,
                config=_as_run(self.config),
                force_error=self.config.select.force_error,
                head=self.config.pretrained.head if self.config.pretrained else None,
            ),
            {"checked": last.check["checked"], "model": last.check["model"], **compared},
            {
                "rounds": {str(one.number): one.check["checked"] for one in rounds},
                "chosen": {str(one.number): one.chosen for one in rounds if one.chosen},
                "steps": self.graph.records(),
            },
        )
        self.graph.results = {
            "model": last.check["model"],
            "labels": last.labels,
            "state": last.check["checked"],
            "metrics.json": end["metrics"],
            "report.html": end["report"],
            "card.json": end["card"],
        }

    def _clean(
        self,
        name: str,
        path: str,
        fmt: str | None = None,
        type_map: tuple[str, ...] | None = None,
    ) -> Output:
        params = CleanParams(name=name, format=fmt, type_map=type_map)
        return self.graph.add(f"clean-{name}", clean, params, {"raw": source_of(path)})["dataset"]

    def _structures(self, names: tuple[str, ...] = ()) -> dict[str, dict[str, Origin]]:
        chosen = {n: place for n, place in self.structures.items() if not names or n in names}
        return {"structures": chosen}

    def _seed(self, number: int) -> int:
        """Seed of an iteration; members and trajectories count on from it."""
        return (self.config.seed + _SEEDS_OF_ITERATION * number) % 2**31


def _type_map(config: LearnConfig) -> tuple[str, ...]:
    """Return all elements of structures and datasets; ask the labeller whether it knows them."""
    from lamflow.data.dataset import Dataset
    from lamflow.label.registry import LABELLERS

    paths = {spec.name: Path(source_of(spec.path).location) for spec in config.structures}
    wanted = config.model.type_map if config.model else None
    found: set[str] = set(wanted or ())
    labeller = LABELLERS.build(config.label.engine, config.label.settings)
    for system in read_structures(paths).values():
        elements = sorted({system.type_map[index] for index in system.types[0]})
        labeller.check(elements, system.periodic)
        found |= set(elements)
    for spec in config.datasets:
        found |= set(Dataset.open(Path(spec.path), fmt=spec.format).elements)
    if wanted:
        if missing := sorted(found - set(wanted)):
            raise InputError(f"model.type_map lacks {', '.join(missing)}; add them")
        return wanted
    return sorted_symbols(found)


def _method(engine: str, settings: dict[str, Any]) -> str:
    said = ", ".join(f"{key} {value}" for key, value in settings.items())
    return f"{engine} ({said})" if said else engine


def _as_run(config: LearnConfig) -> dict[str, Any]:
    """The configuration as it was run, without what no result depends on; paths by name only."""
    plain = config.model_dump(mode="json", exclude={"run", "resources"}, exclude_none=True)
    for spec in [*plain["structures"], *plain.get("datasets", [])]:
        spec["path"] = Path(spec["path"]).name
    if "pretrained" in plain:
        plain["pretrained"]["path"] = Path(plain["pretrained"]["path"]).name
    if "test" in plain:
        plain["test"] = Path(plain["test"]).name
    return plain
