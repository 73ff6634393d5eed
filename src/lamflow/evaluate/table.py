"""The weighted error table of the OpenLAM reports."""

from collections.abc import Mapping
from typing import Any

from lamflow.errors import InputError, Problem

ERROR_KEYS = (
    "energy_rmse_meV_per_atom",
    "energy_mae_meV_per_atom",
    "force_rmse_meV_per_A",
    "force_mae_meV_per_A",
    "virial_rmse_meV_per_atom",
)


def weighted_errors(
    heads: Mapping[str, Mapping[str, Any]], weights: Mapping[str, float]
) -> dict[str, float | None]:
    """Average each error over heads: Σ wᵢ·errorᵢ / Σ wᵢ, as in the OpenLAM reports.

    Parameters
    ----------
    heads
        Per head, its errors (see `lamflow.evaluate.errors.head_errors`).
    weights
        Per head, how much it counts; in the reports the weight of its data in training.

    Returns
    -------
    dict
        Per error, the mean over the heads that have it; None if no head has it.

    Raises
    ------
    InputError
        A head has no weight, or all weights are 0.
    """
    missing = sorted(set(heads) - set(weights))
    if missing:
        raise InputError(Problem("", "weights", f"no weight for {', '.join(missing)}"))
    return {key: _weighted_mean(key, heads, weights) for key in ERROR_KEYS}


def _weighted_mean(
    key: str, heads: Mapping[str, Mapping[str, Any]], weights: Mapping[str, float]
) -> float | None:
    pairs = [
        (weights[name], float(errors[key]))
        for name, errors in heads.items()
        if errors.get(key) is not None
    ]
    if not pairs:
        return None
    total = sum(weight for weight, _ in pairs)
    if total <= 0:
        raise InputError(Problem("", "weights", "are all zero; give at least one head a weight"))
    return sum(weight * error for weight, error in pairs) / total
