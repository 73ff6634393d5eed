"""Explorers by name; `lamflow.testing.explorer` tests one of your own."""

from lamflow.explore.protocol import Explorer
from lamflow.plugins import Plugins

EXPLORERS: Plugins[Explorer] = Plugins(
    kind="explorer",
    group="lamflow.explorers",
    key="explore",
    built_in={
        "md": "lamflow.explore.md:Md",
        "perturb": "lamflow.explore.perturb:Perturb",
        "relax": "lamflow.explore.relax:Relax",
    },
)
