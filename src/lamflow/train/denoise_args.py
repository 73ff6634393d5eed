"""The arguments of the denoise loss, for DeePMD-kit's checker; imports no torch."""

from dargs import Argument
from deepmd.utils.argcheck import loss_args_plugin

LOSS = "lamflow_denoise"
"""The loss's type in DeePMD-kit's input."""


@loss_args_plugin.register(LOSS, doc="Noise the coordinates, mask the types, find both again.")  # type: ignore[untyped-decorator]
def denoise_arguments() -> list[Argument]:
    """List what the loss takes; see `lamflow.train.denoise.DenoiseLoss`."""
    number = [float, int]
    return [
        Argument("noise", str, doc="gaussian or uniform"),
        Argument("sigma", number, doc="standard deviation of each coordinate's noise, Å"),
        Argument("mask", number, doc="fraction of the atoms whose type is hidden"),
        Argument("mask_type", int, doc="index of the type that hides others"),
        Argument("pref_shift", number, optional=True, default=10.0, doc="weight of displacements"),
        Argument("pref_types", number, optional=True, default=1.0, doc="weight of types"),
    ]
