"""Whether frames are like those that a model was trained on: covered, borderline or new.

Nothing is guessed: each number is ranked among the same number of frames that are known to be
like the training set (the calibration frames).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamflow.data.frames import FloatArray, IntArray
from lamflow.errors import InputError
from lamflow.select.survey import Survey

COVERED, BORDERLINE, NEW = 0, 1, 2
VERDICTS = ("covered", "borderline", "new")
FEWEST_CALIBRATION = 10
LABEL_SIGNALS = ("error", "relative", "energy")
MODEL_SIGNALS = ("deviation", "distance")
_NEW_CHANCE = 0.01
_SUSPECT = 3.0
_SUSPECT_SHARE = 0.2
_SHARE_COVERED = 0.75
_SHARE_NEW = 0.5
_ROUNDING = 1e-9
_Z = 1.959964  # normal quantile of a two-sided 95 % interval


def conformal_p(scores: FloatArray, calibration: FloatArray) -> FloatArray:
    """Chance that a frame like the calibration frames has a score this high or higher.

    Parameters
    ----------
    scores
        (nframes,); NaN gives NaN.
    calibration
        (n,) scores of frames that are like the training set.

    Notes
    -----
    p = (1 + number of calibration scores not below) / (n + 1): conformal anomaly detection,
    Laxhammar & Falkman, Ann. Math. Artif. Intell. 74, 67 (2015). Whatever the distribution, a
    frame that is exchangeable with the calibration frames has p ≤ α with a chance of at most α.
    """
    known = np.sort(calibration[np.isfinite(calibration)])
    above = len(known) - np.searchsorted(known, scores, side="left")
    return np.where(np.isnan(scores), np.nan, (1.0 + above) / (len(known) + 1.0))


def conformal_bands(
    scores: FloatArray, calibration: FloatArray, confidence: float
) -> tuple[FloatArray, IntArray]:
    """Conformal p of each score, and `COVERED`, `BORDERLINE` or `NEW`; NaN is new.

    Covered: p above 1 − `confidence`. New: above all calibration scores, or p at most 0.01.
    """
    chances = conformal_p(scores, calibration)
    safe = np.where(np.isnan(chances), 0.0, chances)
    rare = max(_NEW_CHANCE, 1.0 / (np.isfinite(calibration).sum() + 1.0)) + _ROUNDING
    low = 1.0 - confidence + _ROUNDING
    return chances, np.where(safe <= rare, NEW, np.where(safe <= low, BORDERLINE, COVERED))


def wilson_interval(share: float, trials: float) -> tuple[float, float]:
    """95 % confidence interval of a share that was found in independent trials.

    Notes
    -----
    Wilson, J. Am. Stat. Assoc. 22, 209 (1927). It stays between 0 and 1 and is of use for few
    trials.
    """
    if trials <= 0:
        return 0.0, 1.0
    middle = (share + _Z**2 / (2 * trials)) / (1 + _Z**2 / trials)
    spread = np.sqrt(share * (1 - share) / trials + _Z**2 / (4 * trials**2))
    half = _Z / (1 + _Z**2 / trials) * float(spread)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, eq=False)
class Yardstick:
    """What is usual among calibration frames, by signal and element.

    Attributes
    ----------
    calibration
        The calibration frames.
    confidence
        The part of frames like them that is to count as covered, between 0 and 1.

    Raises
    ------
    InputError
        There are fewer than `FEWEST_CALIBRATION` frames.
    """

    calibration: Survey
    confidence: float

    def __post_init__(self) -> None:
        if self.calibration.nframes < FEWEST_CALIBRATION:
            raise InputError(
                f"only {self.calibration.nframes} frames of the training data are left to compare "
                f"with, {FEWEST_CALIBRATION} are needed; give more in `training`"
            )

    @property
    def expected(self) -> float:
        """Least share of other frames like the calibration frames that is called covered.

        With few calibration frames the share scatters about `confidence`; it is below this in one
        of twenty cases.

        Notes
        -----
        The share follows Beta(n + 1 − l, l) with l = ⌊(n + 1)(1 − confidence)⌋: Vovk, Asian
        Conference on Machine Learning, PMLR 25, 475 (2012).
        """
        from scipy.stats import beta

        frames = self.calibration.nframes
        outside = max(1, int((frames + 1) * (1 - self.confidence) + _ROUNDING))
        return float(beta.ppf(0.05, frames + 1 - outside, outside))

    def limits(self, signal: str) -> FloatArray:
        """Value of each element that the part `confidence` of the calibration frames stays below.

        An element with fewer than `FEWEST_CALIBRATION` frames gets that of all together.
        """
        table: FloatArray = getattr(self.calibration, signal)
        tiny = np.finfo(float).tiny
        flat = table[np.isfinite(table)]
        every = float(np.quantile(flat, self.confidence)) if len(flat) else np.nan
        limits = np.full(table.shape[1], max(every, tiny) if np.isfinite(every) else np.nan)
        for column in range(table.shape[1]):
            values = table[np.isfinite(table[:, column]), column]
            if len(values) >= FEWEST_CALIBRATION:
                limits[column] = max(float(np.quantile(values, self.confidence)), tiny)
        return limits

    def table(self, survey: Survey, signals: Sequence[str]) -> FloatArray:
        """Worst of the signals of each frame and element over its limit, (nframes, nelements)."""
        found = np.full((survey.nframes, len(survey.symbols)), np.nan)
        for signal in signals:
            if signal != "energy":
                found = np.fmax(found, getattr(survey, signal) / self.limits(signal))
        return found

    def scores(self, survey: Survey, signals: Sequence[str]) -> FloatArray:
        """Worst of the signals over all elements, over its limit, (nframes,); NaN if none."""
        found = np.fmax.reduce(self.table(survey, signals), axis=1, initial=np.nan)
        if "energy" in signals:
            found = np.fmax(found, survey.energy[:, 0] / self.limits("energy")[0])
        return np.asarray(found)

    def usable(self, survey: Survey, signals: Sequence[str]) -> tuple[str, ...]:
        """Those of `signals` that both the frames and the calibration frames have."""
        return tuple(
            signal
            for signal in signals
            if np.isfinite(getattr(survey, signal)).any()
            and np.isfinite(getattr(self.calibration, signal)).any(axis=1).sum()
            >= FEWEST_CALIBRATION
        )

    def bands(self, survey: Survey, signals: Sequence[str]) -> tuple[FloatArray, IntArray]:
        """Conformal p and band of each frame by the worst of `signals`, each (nframes,)."""
        known = self.scores(self.calibration, signals)
        return conformal_bands(self.scores(survey, signals), known, self.confidence)

    def element_bands(self, survey: Survey, signals: Sequence[str]) -> tuple[FloatArray, IntArray]:
        """The same of the atoms of each element of each frame, each (nframes, nelements)."""
        mine = self.table(survey, signals)
        known = self.table(self.calibration, signals)
        chances, bands = np.full(mine.shape, np.nan), np.full(mine.shape, NEW)
        for column in range(mine.shape[1]):
            own = known[np.isfinite(known[:, column]), column]
            pool = own if len(own) >= FEWEST_CALIBRATION else known.ravel()
            found = conformal_bands(mine[:, column], pool, self.confidence)
            chances[:, column], bands[:, column] = found
        return chances, bands


@dataclass(frozen=True, eq=False)
class Judged:
    """Verdicts of frames.

    Attributes
    ----------
    bands
        (nframes,) `COVERED`, `BORDERLINE` or `NEW`.
    suspect
        (nframes,) whether the label rather than the model is doubtful: the error is beyond all
        measure where the structure is well known and the committee agrees.
    strange
        (nframes,) whether a frame has an element that the model was not trained on.
    by_label, by_model
        (nframes,) conformal p by errors, and by deviation and distance; NaN if not measured.
    scores
        (nframes,) worst signal over its limit; above 1 a frame is out of the usual.
    elements
        (nframes, nelements) bands of the atoms of each element; -1 where there are none.
    signals
        What was measured.
    """

    bands: IntArray
    suspect: NDArray[np.bool_]
    strange: NDArray[np.bool_]
    by_label: FloatArray
    by_model: FloatArray
    scores: FloatArray
    elements: IntArray
    signals: tuple[str, ...]


def judge(survey: Survey, yardstick: Yardstick, trained: Sequence[str]) -> Judged:
    """Give each frame a verdict.

    A labelled frame is judged by the error that the model makes on it, another one by what
    committee and descriptor say. Where the error is usual but the structure is far from all that
    is known, the verdict is borderline. A frame with an element that the model was not trained on
    is new.

    Parameters
    ----------
    survey
        The frames.
    yardstick
        What is usual.
    trained
        Elements that the model was trained on.
    """
    label = yardstick.usable(survey, LABEL_SIGNALS)
    model = yardstick.usable(survey, MODEL_SIGNALS)
    by_label, wrong = yardstick.bands(survey, label)
    by_model, seen = yardstick.bands(survey, model)
    unknown = np.array([symbol not in set(trained) for symbol in survey.symbols], dtype=np.bool_)
    strange = survey.foreign | (survey.counts[:, unknown] > 0).any(axis=1)
    labelled = np.isfinite(by_label)
    bands = np.where(labelled, wrong, seen)
    bands = np.where(labelled & (bands == COVERED) & (seen == NEW), BORDERLINE, bands)
    bands = np.where(strange, NEW, bands)
    errors = yardstick.scores(survey, label)
    beyond = labelled & (wrong == NEW) & (errors > _SUSPECT)
    suspect = beyond & (seen == COVERED) & ~strange
    if suspect.sum() > _SUSPECT_SHARE * max(labelled.sum(), 1):
        suspect = np.zeros_like(suspect)  # not some wrong labels, but another method or chemistry
    scores = np.where(labelled, errors, yardstick.scores(survey, model))
    return Judged(
        bands, suspect, strange, by_label, by_model, scores,
        _element_bands(survey, yardstick, label, model, unknown), (*label, *model),
    )  # fmt: skip


def _element_bands(
    survey: Survey,
    yardstick: Yardstick,
    label: Sequence[str],
    model: Sequence[str],
    unknown: NDArray[np.bool_],
) -> IntArray:
    by_label, wrong = yardstick.element_bands(survey, label)
    _, seen = yardstick.element_bands(survey, model)
    labelled = np.isfinite(by_label)
    bands = np.where(labelled, wrong, seen)
    bands = np.where(labelled & (bands == COVERED) & (seen == NEW), BORDERLINE, bands)
    bands = np.where(unknown[None, :], NEW, bands)
    return np.where(survey.counts > 0, bands, -1)


def verdict_of(covered: float, new: float, interval: tuple[float, float], expected: float) -> str:
    """Verdict on many frames, given the shares that are covered and new.

    covered: as much as of data like the training set (see `Yardstick.expected`), by what the
    interval of `covered` allows, and three quarters at the least. new: less than half is covered,
    and most of the rest is new. borderline: between.
    """
    if covered >= expected or (interval[1] >= expected and covered >= _SHARE_COVERED):
        return VERDICTS[COVERED]
    if covered < _SHARE_NEW and new >= (1 - covered) / 2:
        return VERDICTS[NEW]
    return VERDICTS[BORDERLINE]
