"""`kind: update`: look → {vet → weigh} each dataset → decide → grow → audit → publish → report.

Datasets are known only when the update looks into the inbox, and graphs are static. So the first
step fixes what is worked on, and slots without a dataset pass through. A run that is submitted has
its look beforehand: its keys hang on what there is to do, so that the same state of the inbox is
never worked on twice. A schedule on a cluster has nobody to look; there the first step does.
"""

import socket
from collections.abc import Mapping
from pathlib import Path

import yaml
from lamflow.ops.audit import AuditParams, audit
from lamflow.ops.conclude import conclude
from lamflow.ops.decide import DecideParams, decide
from lamflow.ops.grow import GrowParams, grow
from lamflow.ops.look import LookParams, look
from lamflow.ops.measure import MeasureParams
from lamflow.ops.publish import PublishParams, publish
from lamflow.ops.update_report import UpdateReportParams, update_report
from lamflow.ops.vet import VetParams, vet
from lamflow.ops.weigh import WeighParams, weigh

from lamflow.config.location import is_remote
from lamflow.config.portable import portable
from lamflow.config.update import PlaceParams, UpdateConfig
from lamflow.engine.graph import Graph, Origin, Step
from lamflow.engine.inputs import source_of
from lamflow.errors import InputError, Problem
from lamflow.registry.open import open_registry
from lamflow.train import presets
from lamflow.update.plan import Work, survey


def build(config: UpdateConfig, *, cluster: bool = False, standing: bool = False) -> Graph:
    """Compose the graph of an update.

    Parameters
    ----------
    config
        The configuration.
    cluster
        Whether it is to run on a cluster, whose pods see no folder of this machine.
    standing
        Whether it is for later, and for more than once: it looks when it runs.

    Raises
    ------
    InputError
        A cluster is to use a registry in a local folder.
    """
    if cluster and not is_remote(config.registry):
        what = (
            "is a folder of this machine, which pods don't see; name a bucket: s3://bucket/prefix"
        )
        raise InputError(Problem("registry", "", f"{config.registry} {what}"))
    fixed = None
    if not standing:
        fixed = survey(open_registry(config.registry), config.model, config.max_datasets)
        if fixed.base is None and fixed.datasets and config.first is None:
            what = "there is no version yet; name the network of the first one, such as dpa1-tiny"
            raise InputError(Problem("first", "", what))
    slots = config.max_datasets if fixed is None else len(fixed.datasets)
    owner = "" if cluster or standing else f"{socket.gethostname()}:{Path.cwd() / config.name}"
    return _Builder(config, fixed, slots, owner).build()


class _Builder:
    def __init__(self, config: UpdateConfig, fixed: Work | None, slots: int, owner: str) -> None:
        self.config = config
        self.fixed = fixed
        self.slots = range(1, slots + 1)
        self.owner = owner
        self.graph = Graph(config.kind, config.name)
        self.place = {
            "registry": config.registry, "model": config.model, "lease_s": 60 * config.lease
        }  # fmt: skip
        self.text = yaml.safe_dump(portable(config), sort_keys=False, allow_unicode=True)

    def build(self) -> Graph:
        config, add = self.config, self.graph.add
        params = LookParams(
            **self.place, max_datasets=config.max_datasets, owner=self.owner, fixed=self.fixed
        )
        plan: dict[str, Origin] = {"plan": add("look", look, params)["plan"]}
        vetted = {f"slot-{slot:02d}": self._vet(slot, plan) for slot in self.slots}
        weighed = {name: self._weigh(name, plan, step) for name, step in vetted.items()}
        verdicts = {name: step["verdict"] for name, step in vetted.items()}
        parts: dict[str, Mapping[str, Origin]] = {
            "parts": {name: step["parts"] for name, step in vetted.items()}
        }
        novelties = {name: step["novelty"] for name, step in weighed.items()}
        decided = add(
            "decide",
            decide,
            DecideParams(**self.place, join=config.heads.join, fresh=config.heads.start == "fresh"),
            plan,
            {"verdicts": verdicts, "novelties": novelties},
        )
        known = plan | {"decisions": decided["decisions"]}
        grown = add("grow", grow, self._training(), known, parts)
        known |= {port: grown[port] for port in ("growth", "model", "data")}
        tested = add("audit", audit, self._audit(), known, parts | self._structures())
        published = add(
            "publish",
            publish,
            PublishParams(**self.place, tolerance=config.gate.tolerance, config=self.text),
            known | {"examination": tested["examination"]},
            parts,
        )
        end = add(
            "report",
            update_report,
            UpdateReportParams(name=config.name, model=config.model, config=self.text),
            {port: origin for port, origin in known.items() if port != "data"}
            | {port: tested[port] for port in ("examination", "parity")}
            | {"gate": published["gate"]},
            {
                "verdicts": verdicts,
                "coverages": {name: step["coverage"] for name, step in weighed.items()},
                "steps": self.graph.records(),
            },
        )
        done = add(
            "conclude",
            conclude,
            PlaceParams(**self.place),
            plan | {"ending": end["ending"], "report": end["report"]},
        )
        self.graph.results = {
            "model": grown["model"],
            "metrics.json": end["metrics"],
            "report.html": end["report"],
            "card.json": end["card"],
            "ending.json": done["ending"],
            **{f"quarantine/{name}": step["quarantine"] for name, step in vetted.items()},
        }
        return self.graph

    def _vet(self, slot: int, plan: dict[str, Origin]) -> Step:
        config = self.config
        params = VetParams(
            **self.place,
            slot=slot,
            licences=config.accept.licences,
            largest_loss=config.accept.largest_loss,
            checks=config.checks,
            fractions=config.split.fractions(own_test=False),
            seed=config.seed,
        )
        return self.graph.add(f"slot-{slot:02d}-vet", vet, params, plan)

    def _weigh(self, name: str, plan: dict[str, Origin], vetted: Step) -> Step:
        config = self.config
        params = WeighParams(**self.place, settings=config.coverage, seed=config.seed)
        inputs = plan | {"verdict": vetted["verdict"], "parts": vetted["parts"]}
        return self.graph.add(f"{name}-weigh", weigh, params, inputs)

    def _audit(self) -> AuditParams:
        systems = tuple(
            MeasureParams(
                system=one.name, crystal=one.crystal, head=one.head, tests=one.tests, md=one.md
            )
            for one in self.config.properties
        )
        return AuditParams(**self.place, seed=self.config.seed, systems=systems)

    def _structures(self) -> dict[str, Mapping[str, Origin]]:
        files = {one.name: one.structure for one in self.config.properties if one.structure}
        return {"structures": {name: source_of(path) for name, path in files.items()}}

    def _training(self) -> GrowParams:
        config = self.config
        first = config.first
        return GrowParams(
            **self.place,
            name=config.name,
            preset=presets.load(first.preset, first.overrides) if first else None,
            settings=config.train.model_dump(exclude={"committee"}) | {"seed": config.seed},
            replay=config.heads.replay,
        )
