"""A linear model's view of a frame: invariant local features and their exact derivatives.

Energies, forces and virials are linear in the model's coefficients, so that a model is one
least-squares solution: fast, deterministic and good with a few hundred frames. That is what a
cleaner needs; it is no replacement for a trained potential.
"""

from dataclasses import dataclass
from math import factorial
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from lamflow.data.fingerprint import Pairs
from lamflow.data.frames import FloatArray, IntArray


@dataclass(frozen=True)
class Features:
    """What one frame contributes to the least-squares problem; D features.

    Attributes
    ----------
    energy
        (D,) eV per coefficient.
    forces
        (natoms * 3, D) eV/Å per coefficient.
    virial
        (9, D) eV per coefficient, −dE/dε.
    """

    energy: FloatArray
    forces: FloatArray
    virial: FloatArray


@dataclass(frozen=True)
class _Shell:
    """Neighbours j of centres i, both directions: indices and vectors from i to j."""

    centre: IntArray
    neighbour: IntArray
    vectors: FloatArray
    distances: FloatArray


class LocalBasis:
    """Two- and three-body features of the surroundings of each atom, summed per central element.

    Parameters
    ----------
    nelements
        Number of elements; types are 0 to nelements − 1.
    channels
        Neighbours' elements are told apart by this many numbers; with more elements than that,
        by fixed random directions (Willatt et al., Phys. Chem. Chem. Phys. 20, 29661 (2018)).

    Notes
    -----
    Two-body: spherical Bessel functions of the distance (Klicpera et al., DimeNet, ICLR 2020).
    Three-body: scalar products of moment tensors, Σ_jk f(r_ij) g(r_ik) cos^ν θ_jik with ν = 0 to
    4 (Shapeev, Multiscale Model. Simul. 14, 1153 (2016)), which is a power spectrum (Bartók
    et al., Phys. Rev. B 87, 184115 (2013)) in Cartesian form. Both fade out smoothly at cutoffs.
    """

    PAIR_CUTOFF_A = 6.0
    TRIPLE_CUTOFF_A = 4.5
    PAIR_RADIALS = 12
    POWERS = 5
    # Radial functions of the three-body part by number of channels: about as many features per
    # central element however many elements there are.
    TRIPLE_RADIALS: ClassVar[dict[int, int]] = {1: 8, 2: 5, 3: 3}

    def __init__(self, nelements: int, channels: int = 3) -> None:
        self.nelements = nelements
        if nelements <= channels:
            self._channels = np.eye(nelements)
        else:
            directions = np.random.default_rng(0).standard_normal((nelements, channels))
            norms = np.linalg.norm(directions, axis=1, keepdims=True)
            self._channels = directions / norms
        channels = self._channels.shape[1]
        self._radials = self.TRIPLE_RADIALS.get(channels, 2)
        self._width = channels * self._radials
        self._rows, self._columns = np.triu_indices(self._width)
        self._pair_size = nelements * self.PAIR_RADIALS
        self._block = self._pair_size + self.POWERS * len(self._rows)
        self._exponents = [
            (a, b, power - a - b)
            for power in range(self.POWERS)
            for a in range(power, -1, -1)
            for b in range(power - a, -1, -1)
        ]
        self._degree = np.array([sum(one) for one in self._exponents])
        self._weight = np.array(
            [factorial(sum(e)) / np.prod([factorial(x) for x in e]) for e in self._exponents]
        )

    @property
    def size(self) -> int:
        """Number of features D."""
        return self.nelements * self._block

    def features(self, types: IntArray, pairs: Pairs) -> Features:
        """Compute a frame's features.

        Parameters
        ----------
        types
            (natoms,) element of each atom.
        pairs
            All pairs of the frame within `PAIR_CUTOFF_A`.
        """
        natoms = len(types)
        result = Features(
            np.zeros(self.size), np.zeros((natoms * 3, self.size)), np.zeros((9, self.size))
        )
        shell = _Shell(
            np.concatenate([pairs.first, pairs.second]),
            np.concatenate([pairs.second, pairs.first]),
            np.concatenate([pairs.vectors, -pairs.vectors]),
            np.concatenate([pairs.distances, pairs.distances]),
        )
        self._add_pairs(result, types, shell)
        near = shell.distances < self.TRIPLE_CUTOFF_A
        inner = _Shell(
            shell.centre[near], shell.neighbour[near], shell.vectors[near], shell.distances[near]
        )
        if near.any():
            self._add_triples(result, types, inner)
        return result

    def _add_pairs(self, result: Features, types: IntArray, shell: _Shell) -> None:
        values, slopes = _bessel(shell.distances, self.PAIR_CUTOFF_A, self.PAIR_RADIALS)
        units = shell.vectors / shell.distances[:, None]
        kinds = types[shell.centre] * self.nelements + types[shell.neighbour]
        for kind in np.unique(kinds):
            centre, neighbour = divmod(int(kind), self.nelements)
            start = centre * self._block + neighbour * self.PAIR_RADIALS
            columns = slice(start, start + self.PAIR_RADIALS)
            mine = np.flatnonzero(kinds == kind)
            gradient = slopes[mine][:, None, :] * units[mine][:, :, None]
            result.energy[columns] = values[mine].sum(axis=0)
            _spread(result, columns, shell, mine, gradient, len(types))

    def _add_triples(self, result: Features, types: IntArray, shell: _Shell) -> None:
        channel = self._channels[types[shell.neighbour]]
        moments, slopes = self._moments(shell)
        full = (channel[:, :, None, None] * moments[:, None]).reshape(len(channel), -1)
        collect = _incidence(shell.centre, np.arange(len(channel)), len(types))
        sums = (collect @ full).reshape(len(types), self._width, -1)
        weighted = sums * self._weight
        centres = types[shell.centre]
        for centre in np.unique(centres):
            mine = np.flatnonzero(centres == centre)
            atoms = np.flatnonzero(types == centre)
            start = int(centre) * self._block + self._pair_size
            for power in range(self.POWERS):
                parts = np.flatnonzero(self._degree == power)
                columns = slice(start, start + len(self._rows))
                start += len(self._rows)
                # (width, width) scalar products of moments, summed over the central atoms.
                flat = sums[atoms][:, :, parts].transpose(1, 0, 2).reshape(self._width, -1)
                other = weighted[atoms][:, :, parts].transpose(1, 0, 2).reshape(self._width, -1)
                result.energy[columns] = (flat @ other.T)[self._rows, self._columns]
                gradient = self._triple_gradient(
                    slopes[mine][:, :, parts], weighted[shell.centre[mine]][:, :, parts],
                    channel[mine],
                )  # fmt: skip
                _spread(result, columns, shell, mine, gradient, len(types))

    def _moments(self, shell: _Shell) -> tuple[FloatArray, FloatArray]:
        """Return f_n(r) û^(abc), (npairs, n, parts), and its gradient, (npairs, n, parts, 3)."""
        radial, slope = _bessel(shell.distances, self.TRIPLE_CUTOFF_A, self._radials)
        units = shell.vectors / shell.distances[:, None]
        powers = [np.ones_like(units)]
        for _ in range(self.POWERS - 1):
            powers.append(powers[-1] * units)
        count = len(units)
        angular = np.empty((count, len(self._exponents)))
        turning = np.zeros((count, len(self._exponents), 3))
        for part, exponents in enumerate(self._exponents):
            factors = [powers[e][:, axis] for axis, e in enumerate(exponents)]
            angular[:, part] = factors[0] * factors[1] * factors[2]
            for axis, exponent in enumerate(exponents):
                if exponent:
                    lower = list(factors)
                    lower[axis] = exponent * powers[exponent - 1][:, axis]
                    turning[:, part, axis] = lower[0] * lower[1] * lower[2]
        # û = r/|r|: what a homogeneous polynomial of û loses along û (Euler's theorem).
        turning -= units[:, None, :] * (self._degree * angular)[:, :, None]
        turning /= shell.distances[:, None, None]
        gradient = slope[:, :, None, None] * angular[:, None, :, None] * units[:, None, None, :]
        gradient += radial[:, :, None, None] * turning[:, None]
        return radial[:, :, None] * angular[:, None], gradient

    def _triple_gradient(
        self, slopes: FloatArray, weighted: FloatArray, channel: FloatArray
    ) -> FloatArray:
        """Gradient of the scalar products by the neighbour's place, (npairs, 3, features)."""
        count, radials, parts, _ = slopes.shape
        left = slopes.transpose(0, 3, 1, 2).reshape(count, 3 * radials, parts)
        product = (left @ weighted.transpose(0, 2, 1)).reshape(count, 3, 1, radials, self._width)
        outer = (channel[:, None, :, None, None] * product).reshape(
            count, 3, self._width, self._width
        )
        upper: FloatArray = outer[:, :, self._rows, self._columns]
        return upper + outer[:, :, self._columns, self._rows]


def _spread(
    result: Features,
    columns: slice,
    shell: _Shell,
    mine: IntArray,
    gradient: FloatArray,
    natoms: int,
) -> None:
    """Add pair gradients (npairs, 3, features), by the neighbour's place, to forces and virial."""
    count = gradient.shape[2]
    entries = np.arange(len(mine))
    balance = _incidence(shell.centre[mine], entries, natoms) - _incidence(
        shell.neighbour[mine], entries, natoms
    )
    result.forces[:, columns] += (balance @ gradient.reshape(len(mine), -1)).reshape(-1, count)
    stretched = shell.vectors[mine].T @ gradient.reshape(len(mine), -1)
    result.virial[:, columns] -= stretched.reshape(9, count)


def _incidence(rows: IntArray, columns: IntArray, natoms: int) -> csr_array:
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=(natoms, len(columns)))


def _bessel(distances: FloatArray, cutoff: float, count: int) -> tuple[FloatArray, FloatArray]:
    """Return sin(nπr/rc)/r times a smooth cutoff, (npairs, count), and the derivative by r."""
    order = np.arange(1, count + 1) * np.pi / cutoff
    r = distances[:, None]
    wave, slope = np.sin(r * order) / r, np.cos(r * order) * order / r
    slope -= wave / r
    scaled = np.minimum(r / cutoff, 1.0)
    fade, fading = (1 - scaled**2) ** 2, -4 * scaled * (1 - scaled**2) / cutoff
    return wave * fade, slope * fade + wave * fading
