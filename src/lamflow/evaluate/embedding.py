"""What a model has learnt of the elements: its type embedding on a plane."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamflow.data.frames import FloatArray
from lamflow.errors import InputError, Problem

_FEWEST = 3


@dataclass(frozen=True, eq=False)
class TypeMap:
    """Principal components of a type embedding.

    Attributes
    ----------
    symbols
        Elements, in the order of the rows.
    points
        (nelements, 2) first two principal components, in the embedding's own units.
    explained
        (2,) part of the variance along each, 0 to 1.
    """

    symbols: tuple[str, ...]
    points: FloatArray
    explained: FloatArray


def principal_plane(embedding: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Project the rows of `embedding` (n, width) on their first two principal components.

    Returns the points (n, 2) and the part of the variance along each axis (2,). The signs are such
    that the largest entry of each axis is positive, so that the map does not depend on the machine.
    """
    centred = embedding - embedding.mean(axis=0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2]
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]
    total = float((values**2).sum())
    explained = values[:2] ** 2 / total if total > 0 else np.zeros(2)
    return centred @ axes.T, explained


def type_map_plane(model: Path, head: str | None, elements: Sequence[str]) -> TypeMap | None:
    """Map the elements that a model has learnt, as in the paper of DPA-1.

    D. Zhang et al., npj Comput. Mater. 10, 94 (2024), Fig. 5.

    Parameters
    ----------
    model
        Checkpoint or frozen model of DeePMD-kit.
    head
        A head of a multi-task checkpoint; all share the embedding.
    elements
        Those that occurred in training; the others' vectors mean nothing.

    Returns
    -------
    The map; None if the model has no type embedding, or fewer than three of the elements.

    Raises
    ------
    InputError
        There is no such file, or the checkpoint has no such head.
    """
    if not model.is_file():
        raise InputError(Problem(str(model), "", "there is no model file here"))
    from deepmd.infer import DeepPot

    try:
        potential = DeepPot(str(model), head=head)
        embedding = np.asarray(potential.eval_typeebd(), dtype=np.float64)
    except AssertionError as error:
        raise InputError(Problem(str(model), "head", str(error))) from error
    except (KeyError, NotImplementedError):
        return None  # each of these models has a net for every pair of elements instead
    known = list(potential.get_type_map())
    symbols = tuple(symbol for symbol in known if symbol in set(elements))
    if len(symbols) < _FEWEST:
        return None
    points, explained = principal_plane(embedding[[known.index(symbol) for symbol in symbols]])
    return TypeMap(symbols, points, explained)
