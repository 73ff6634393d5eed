"""k-point meshes, made here once so that every engine gets the same one."""

import numpy as np

from lamflow.data.frames import FloatArray

_ROUNDING = 1e-6


def gamma_mesh(cell: FloatArray, spacing_per_A: float) -> tuple[int, int, int]:  # noqa: N803
    """Number of k-points along each reciprocal vector of a Gamma-centred mesh.

    N_i = max(1, ceil(|b_i| / spacing)) with b_i·a_j = 2π δ_ij: VASP's KSPACING, with the 2π that
    ASE's ``Espresso(kspacing=...)`` leaves out.

    Parameters
    ----------
    cell
        (3, 3) Å, lattice vectors as rows.
    spacing_per_A
        Largest distance between neighbouring points, 1/Å.
    """
    reciprocal = 2 * np.pi * np.linalg.inv(cell).T
    lengths = np.linalg.norm(reciprocal, axis=1)
    # a length that is a whole number of spacings must not depend on the last bit
    counts = np.maximum(1, np.ceil(lengths / spacing_per_A - _ROUNDING)).astype(int)
    return int(counts[0]), int(counts[1]), int(counts[2])
