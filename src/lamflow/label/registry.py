"""Labellers by name; `lamflow.testing.labeller` tests one of your own."""

from lamflow.label.protocol import Labeller
from lamflow.plugins import Plugins

LABELLERS: Plugins[Labeller] = Plugins(
    kind="labeller",
    group="lamflow.labellers",
    key="label",
    built_in={
        "emt": "lamflow.label.engines.emt:Emt",
        "tblite": "lamflow.label.engines.tblite:Tblite",
        "gpaw": "lamflow.label.engines.gpaw:Gpaw",
        "pyscf": "lamflow.label.engines.pyscf:Pyscf",
        "cp2k": "lamflow.label.engines.cp2k:Cp2k",
        "espresso": "lamflow.label.engines.espresso:Espresso",
        "teacher": "lamflow.label.engines.teacher:Teacher",
    },
)
