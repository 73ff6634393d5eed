"""`kind: finetune`: clean → split → zero-shot test → train beside replayed data → test → report."""

from collections.abc import Mapping
from typing import Any

import yaml
from lamflow.ops.clean import CleanParams, clean
from lamflow.ops.evaluate import EvaluateParams, evaluate
from lamflow.ops.finetune import FinetuneParams, finetune
from lamflow.ops.finetune_report import FinetuneReportParams, finetune_report
from lamflow.ops.old_head import OldHeadParams, old_head
from lamflow.ops.pretrain import PretrainParams, pretrain
from lamflow.ops.replay import PseudoReplayParams, ReplayParams, pseudo, replay
from lamflow.ops.split import SplitParams, split
from lamflow.ops.zero_shot import ZeroShotParams, zero_shot

from lamflow.config.datasets import DatasetSpec
from lamflow.config.finetune import FinetuneConfig, OldTest
from lamflow.config.portable import portable
from lamflow.config.train import TrainSettings
from lamflow.engine.graph import Graph, Origin, Output, Step
from lamflow.engine.inputs import model_source_of, network_of, source_of

_SCRATCH_RATE = TrainSettings(steps=1).learning_rate


def build(config: FinetuneConfig) -> Graph:
    """Compose the graph of a fine-tuning run."""
    return _Builder(config).build()


class _Builder:
    def __init__(self, config: FinetuneConfig) -> None:
        self.config = config
        self.graph = Graph(config.kind, config.name)
        self.model = model_source_of(config.model)
        self.cleaned = {spec.name: self._clean(spec, spec.path) for spec in self._all}
        self.tests = {
            spec.name: self._clean(spec, spec.test, "test-clean")["dataset"]
            for spec in self._all
            if spec.test
        }
        self.parts = {spec.name: self._split(spec)["parts"] for spec in self._all}
        self.new = {spec.name: self.parts[spec.name] for spec in config.used}

    @property
    def _all(self) -> tuple[DatasetSpec, ...]:
        return self.config.used + self.config.replayed

    def build(self) -> Graph:
        zero_shot_steps = {name: self._zero_shot(name) for name in self.new}
        replayed = self._replay()
        weights = self._weights(replayed)
        models = {
            str(number + 1): self._train(number, weights, replayed, zero_shot_steps)
            for number in range(self.config.train.committee)
        }
        tested = {name: self._test(name, models) for name in self.new}
        old = self._old_heads(models["1"])
        scratch, scratch_tested = self._scratch()
        end = self.graph.add(
            "report",
            finetune_report,
            FinetuneReportParams(
                name=self.config.name,
                config_yaml=_as_yaml(self.config),
                heads={name: self.config.begin_with(name) for name in self.new},
                weights=weights,
            ),
            {"pretrained": self.model},
            _filled(
                errors={name: step["errors"] for name, step in tested.items()},
                parity={name: step["parity"] for name, step in tested.items()},
                zero_shot={name: step["table"] for name, step in zero_shot_steps.items()},
                scratch_errors={name: step["errors"] for name, step in scratch_tested.items()},
                old={name: step["errors"] for name, step in old.items()},
                data=self.parts,
                quarantines={name: step["quarantine"] for name, step in self.cleaned.items()},
                models=models,
                scratch=scratch,
                steps=self.graph.records(),
            ),
        )
        self.graph.results = {
            **{f"model-{n}" if n != "1" else "model": output for n, output in models.items()},
            "metrics.json": end["metrics"],
            "report.html": end["report"],
            "card.json": end["card"],
        }
        return self.graph

    def _clean(self, spec: DatasetSpec | OldTest, path: str, step: str = "clean") -> Step:
        described: dict[str, Any] = spec.model_dump(include={"dft", "licence", "source"})
        params = CleanParams(
            name=spec.name,
            format=spec.format,
            type_map=spec.type_map,
            settings=self.config.clean,
            **described,
        )
        return self.graph.add(f"{step}-{spec.name}", clean, params, {"raw": source_of(path)})

    def _split(self, spec: DatasetSpec) -> Step:
        fractions = self.config.split.fractions(own_test=spec.test is not None)
        params = SplitParams(fractions=fractions, seed=self.config.seed)
        cleaned = self.cleaned[spec.name]["dataset"]
        return self.graph.add(f"split-{spec.name}", split, params, {"dataset": cleaned})

    def _tested_on(self, name: str) -> dict[str, Origin]:
        """The parts of a dataset, and its own test set if it has one."""
        own: dict[str, Origin] = {"test": self.tests[name]} if name in self.tests else {}
        return {"data": self.parts[name], **own}

    def _zero_shot(self, name: str) -> Step:
        inputs = {"model": self.model, **self._tested_on(name)}
        return self.graph.add(f"zero-shot-{name}", zero_shot, ZeroShotParams(), inputs)

    def _replay(self) -> dict[str, Output]:
        settings = self.config.replay
        if settings is None:
            return {}
        frames = ReplayParams(frames=settings.frames, seed=self.config.seed)
        taken = {
            spec.name: self.graph.add(
                f"replay-{spec.name}",
                replay,
                frames,
                {"data": self.parts[spec.name]},
                {"new": self.new},
            )["replay"]
            for spec in settings.datasets
        }
        answered = {
            head: self.graph.add(
                f"pseudo-{head}",
                pseudo,
                PseudoReplayParams(head=head),
                {"model": self.model},
                {"new": self.new},
            )["replay"]
            for head in settings.pseudo
        }
        return taken | answered

    def _weights(self, replayed: dict[str, Output]) -> dict[str, float]:
        own = {spec.name: spec.weight for spec in self._all}
        share = self.config.replay.weight if self.config.replay else 0.0
        return {name: own[name] for name in self.new} | {
            head: share * own.get(head, 1.0) for head in replayed
        }

    def _train(
        self,
        number: int,
        weights: dict[str, float],
        replayed: dict[str, Output],
        zero_shot_steps: dict[str, Step],
    ) -> Output:
        config = self.config
        params = FinetuneParams(
            name=config.name,
            heads={name: config.begin_with(name) for name in self.new},
            weights=weights,
            freeze_descriptor=config.freeze == "descriptor",
            settings=self._settings() | {"seed": config.seed + number},
        )
        several = config.train.committee > 1
        return self.graph.add(
            f"train-seed-{config.seed + number}" if several else "train",
            finetune,
            params,
            {"model": self.model},
            _filled(
                data=self.new,
                replay=replayed,
                zero_shot={name: step["table"] for name, step in zero_shot_steps.items()},
            ),
        )["model"]

    def _settings(self) -> dict[str, Any]:
        return self.config.train.model_dump(exclude={"committee"})

    def _test(self, name: str, models: dict[str, Output], step: str = "evaluate") -> Step:
        params = EvaluateParams(head=name, seed=self.config.seed)
        inputs = self._tested_on(name)
        return self.graph.add(f"{step}-{name}", evaluate, params, inputs, {"models": models})

    def _old_heads(self, model: Output) -> dict[str, Step]:
        """Test the heads whose data are replayed on what is held out, and those of old_tests."""
        places = {spec.name: self._tested_on(spec.name) for spec in self.config.replayed}
        for test in self.config.old_tests:
            cleaned = self._clean(test, test.path, "old-clean")["dataset"]
            places[test.name] = {"test": cleaned}
        stand_in = next(iter(self.new))
        return {
            name: self.graph.add(
                f"old-head-{name}",
                old_head,
                OldHeadParams(head=name, stand_in=stand_in),
                {"before": self.model, "after": model, **inputs},
            )
            for name, inputs in places.items()
        }

    def _scratch(self) -> tuple[dict[str, Output], dict[str, Step]]:
        """Train the same network from random weights on the same data, for as many steps."""
        config = self.config
        if not config.compare_scratch:
            return {}, {}
        settings = self._settings() | {"seed": config.seed, "learning_rate": _SCRATCH_RATE}
        params = PretrainParams(
            name=f"{config.name}-scratch",
            weights={spec.name: spec.weight for spec in config.used},
            model=network_of(self.model),
            settings=settings,
        )
        model = self.graph.add("train-scratch", pretrain, params, groups={"data": self.new})
        models = {"1": model["model"]}
        return models, {name: self._test(name, models, "evaluate-scratch") for name in self.new}


def _filled(**groups: Mapping[str, Origin]) -> dict[str, dict[str, Origin]]:
    """Leave out the group ports that get nothing."""
    return {port: dict(members) for port, members in groups.items() if members}


def _as_yaml(config: FinetuneConfig) -> str:
    """The configuration as it was run, with all defaults."""
    return yaml.safe_dump(portable(config), sort_keys=False, allow_unicode=True)
