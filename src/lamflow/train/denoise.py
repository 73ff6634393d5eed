"""Denoising as a task of DeePMD-kit's training: a loss that needs no labels.

DeePMD-kit 3.2 has none; this is a plugin of it (entry-point group ``deepmd.pt``). It works with the
``dos`` fitting net of width 1 + number of types. The first output of each atom is summed to an
energy-like scalar u whose negative gradient is fitted to the way back, (clean − noisy)/σ: so the
vectors turn with the frame, and around structures at rest they are what forces are (Zaidi et al.,
ICLR 2023, arXiv:2206.00133). The others are scores (logits) of the types that were masked. As in
the OpenLAM report of 2024 Q1 the clean structure itself is the label.
"""

from typing import Any, TypeAlias

import torch
import torch.nn.functional
from deepmd.pt.loss.loss import TaskLoss
from deepmd.utils.data import DataRequirementItem

from lamflow.train.denoise_args import LOSS

Tensor: TypeAlias = torch.Tensor


@TaskLoss.register(LOSS)
class DenoiseLoss(TaskLoss):  # type: ignore[misc]
    """Noises and masks a batch, and compares what the model says with what was done.

    Parameters
    ----------
    noise
        ``gaussian`` or ``uniform``.
    sigma
        Standard deviation of each coordinate's noise, Å.
    mask
        Fraction of the atoms whose type is hidden.
    mask_type
        Index of the type that hides others, the last of the type map.
    pref_shift, pref_types
        Weights of the two parts.
    """

    def __init__(
        self, noise: str, sigma: float, mask: float, mask_type: int,
        pref_shift: float = 10.0, pref_types: float = 1.0, **_: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self._noise = noise
        self._sigma = sigma
        self._mask = mask
        self._mask_type = mask_type
        self._prefactors = pref_shift, pref_types

    def forward(
        self, input_dict: dict[str, Any], model: torch.nn.Module, label: dict[str, Tensor],
        natoms: int, learning_rate: float = 0.0, mae: bool = False,
    ) -> tuple[dict[str, Tensor], Tensor, dict[str, Tensor]]:  # fmt: skip
        """Give predictions, loss, and errors for the learning curve (see `TaskLoss`)."""
        types = input_dict["atype"]
        real = types >= 0
        coords = input_dict["coord"].reshape(*types.shape, 3)
        shift = noise_like(coords, real, self._noise, self._sigma)
        hidden = (torch.rand(types.shape, device=types.device) < self._mask) & real
        shown = torch.where(hidden, self._mask_type, types)
        inputs = {**input_dict, "atype": shown}
        vectors, scores = denoise(model, coords + shift, inputs, create_graph=self.training)
        wanted = -shift / self._sigma
        shift_loss = ((vectors - wanted)[real] ** 2).mean()
        type_loss = shift_loss.new_zeros(())
        wrong = shift_loss.new_zeros(())
        if hidden.any():
            type_loss = torch.nn.functional.cross_entropy(scores[hidden], types[hidden].long())
            wrong = (scores[hidden].argmax(-1) != types[hidden]).to(shift_loss.dtype).mean()
        loss = self._prefactors[0] * shift_loss + self._prefactors[1] * type_loss
        told = {
            "rmse": loss.detach().sqrt(),
            "rmse_d": shift_loss.detach().sqrt() * self._sigma,
            "err_t": wrong.detach(),
        }
        return {"denoise": vectors, "scores": scores}, loss, told

    @property
    def label_requirement(self) -> list[DataRequirementItem]:
        """No label is needed."""
        return []


def noise_like(coords: Tensor, real: Tensor, noise: str, sigma: float) -> Tensor:
    """Draw displacements, Å; their mean over a frame is taken out, as no model can know it.

    Parameters
    ----------
    coords
        (nframes, natoms, 3) Å.
    real
        (nframes, natoms) False where there is no atom.
    noise, sigma
        See `DenoiseLoss`.
    """
    if noise == "uniform":
        drawn = (2 * torch.rand_like(coords) - 1) * 3**0.5
    else:
        drawn = torch.randn_like(coords)
    drawn = sigma * drawn * real[..., None]
    mean = drawn.sum(1, keepdim=True) / real.sum(1).clamp(min=1)[:, None, None]
    return (drawn - mean) * real[..., None]


def denoise(
    model: Any, coords: Tensor, inputs: dict[str, Any], *, create_graph: bool = False
) -> tuple[Tensor, Tensor]:
    """Let a denoise head say where atoms come from and what they are.

    Parameters
    ----------
    model
        A model with a ``dos`` fitting net of width 1 + ntypes.
    coords
        (nframes, natoms, 3) Å, noisy.
    inputs
        Its other inputs: ``atype`` (nframes, natoms), ``box`` (nframes, 9) Å or None.
    create_graph
        Whether the vectors are to be differentiated again.

    Returns
    -------
    vectors
        (nframes, natoms, 3) the way back to rest, in units of the noise's σ.
    scores
        (nframes, natoms, ntypes) logits of the types.
    """
    coords = coords.detach().requires_grad_(True)
    with torch.enable_grad():
        says = model(**{**inputs, "coord": coords})["atom_dos"]
        (gradient,) = torch.autograd.grad(says[..., 0].sum(), coords, create_graph=create_graph)
    return -gradient, says[..., 1:]
