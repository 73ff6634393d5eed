"""The release gate: a new version becomes `latest` only if nothing has got worse."""

from dataclasses import dataclass

from lamflow.errors import InputError, Problem
from lamflow.registry.names import LATEST, Reference
from lamflow.registry.registry import Registry
from lamflow.registry.release import ModelContent, Release

CANDIDATE = "candidate"
DEFAULT_TOLERANCE = 0.05


@dataclass(frozen=True)
class Regression:
    """One thing that is worse than before.

    Attributes
    ----------
    what
        Test set, head and error, or system and property.
    old, new
        The values; `new` is None if it was not tested, or could not be computed.
    """

    what: str
    old: float
    new: float | None

    def __str__(self) -> str:
        if self.new is None:
            return f"{self.what}: was {self.old:.4g}, is not known any more"
        return f"{self.what}: {self.old:.4g} → {self.new:.4g}"


@dataclass(frozen=True)
class Verdict:
    """What the gate says.

    Attributes
    ----------
    candidate
        The version that was judged.
    before
        The version that it was compared with; None if there was none.
    regressions
        What is worse; the gate is open if there is nothing.
    """

    candidate: Release
    before: Release | None
    regressions: tuple[Regression, ...]

    @property
    def passed(self) -> bool:
        """Whether the candidate may be released."""
        return not self.regressions


def compare(old: ModelContent, new: ModelContent, tolerance: float) -> list[Regression]:
    """Return what is worse in `new`.

    An error counts as worse if it exceeds (1 + `tolerance`) times the old one; so does an error
    that is not there any more. A property counts as worse if it was within its limits and is not.

    Parameters
    ----------
    old, new
        Contents of two versions.
    tolerance
        Allowed relative increase of an error, such as 0.05.
    """
    return [*_worse_errors(old, new, tolerance), *_broken_properties(old, new)]


def _worse_errors(old: ModelContent, new: ModelContent, tolerance: float) -> list[Regression]:
    found = []
    after = {(result.test_set, result.head): result.errors for result in new.results}
    for result in old.results:
        errors = after.get((result.test_set, result.head), {})
        for key, before in result.errors.items():
            if before is None:
                continue
            now = errors.get(key)
            if now is None or now > before * (1 + tolerance):
                what = f"{result.test_set} (head {result.head}) {key}"
                found.append(Regression(what, before, now))
    return found


def _broken_properties(old: ModelContent, new: ModelContent) -> list[Regression]:
    after = {(one.system, one.name): one for one in new.properties}
    found = []
    for one in old.properties:
        now = after.get((one.system, one.name))
        if one.passed and one.value is not None and (now is None or not now.passed):
            what = f"{one.system} {one.name} ({one.unit})"
            found.append(Regression(what, one.value, now.value if now else None))
    return found


def judge(registry: Registry, name: str, tolerance: float = DEFAULT_TOLERANCE) -> Verdict:
    """Compare the version that is tagged candidate with the one that is tagged latest.

    Raises
    ------
    InputError
        There is no candidate, or the tolerance is negative.
    """
    if tolerance < 0:
        raise InputError(Problem("", "tolerance", "is negative; give 0 or more"))
    candidate = registry.release("model", Reference(name, CANDIDATE))
    if LATEST not in registry.tags("model", name):
        return Verdict(candidate, None, ())
    before = registry.release("model", Reference(name, LATEST))
    if before.version == candidate.version:
        return Verdict(candidate, before, ())
    if before.version > candidate.version:
        what = f"is older than {before}, which is latest; tag a later version candidate"
        raise InputError(Problem(f"{candidate}", CANDIDATE, what))
    regressions = compare(_content(before), _content(candidate), tolerance)
    return Verdict(candidate, before, tuple(regressions))


def promote(registry: Registry, name: str, tolerance: float = DEFAULT_TOLERANCE) -> Verdict:
    """Judge the candidate and, if the gate is open, let `latest` mean it; see `judge`."""
    verdict = judge(registry, name, tolerance)
    if verdict.passed:
        registry.move_tag("model", name, LATEST, verdict.candidate.version, only_forward=True)
    return verdict


def _content(release: Release) -> ModelContent:
    if not isinstance(release.content, ModelContent):
        raise TypeError(f"{release} is no model")
    return release.content
