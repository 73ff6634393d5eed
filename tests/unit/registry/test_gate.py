"""What may become `latest`."""

from pathlib import Path

import pytest
from registry_runs import write_run

from lamflow.errors import InputError
from lamflow.evaluate.properties.result import PropertyValue
from lamflow.registry.gate import compare, judge, promote
from lamflow.registry.models import push_model
from lamflow.registry.registry import Registry
from lamflow.registry.release import ModelContent


@pytest.fixture
def candidate(registry: Registry, dataset: Path, tmp_path: Path):
    """Publish a candidate with a given force error, meV/Å."""

    def publish(force_rmse: float) -> ModelContent:
        run = write_run(tmp_path / f"run-{force_rmse}", {"water": dataset}, force_rmse=force_rmse)
        release = push_model(registry, run / "result/model", "a/b", run=run)
        registry.move_tag("model", "a/b", "candidate", release.version)
        assert isinstance(release.content, ModelContent)
        return release.content

    return publish


def test_the_first_version_passes(registry: Registry, candidate) -> None:
    candidate(80.0)
    verdict = promote(registry, "a/b")
    assert verdict.passed
    assert verdict.before is None
    assert registry.tags("model", "a/b") == {"candidate": 1, "latest": 1}
    assert promote(registry, "a/b").passed


@pytest.mark.parametrize(("error", "passed"), [(60.0, True), (83.9, True), (84.1, False)])
def test_worse_than_tolerated_is_stopped(
    registry: Registry, candidate, error: float, passed: bool
) -> None:
    candidate(80.0)
    promote(registry, "a/b")
    candidate(error)
    verdict = promote(registry, "a/b", tolerance=0.05)
    assert verdict.passed is passed
    assert registry.tags("model", "a/b")["latest"] == (2 if passed else 1)
    if not passed:
        assert str(verdict.regressions[1]) == ("water (head water) force_rmse_meV_per_A: 80 → 84.1")


def test_what_is_not_tested_any_more_is_worse(candidate) -> None:
    old = candidate(80.0)
    new = old.model_copy(update={"results": ()})
    assert "is not known any more" in str(compare(old, new, 0.05)[0])
    assert compare(new, old, 0.05) == []


def test_a_property_that_breaks_is_worse(candidate) -> None:
    content = candidate(80.0)

    def having(value: float, *, passed: bool) -> ModelContent:
        one = PropertyValue(
            system="Cu", name="a0", value=value, unit="Å", reference=3.6, passed=passed
        )
        return content.model_copy(update={"properties": (one,)})

    good, bad = having(3.6, passed=True), having(4.1, passed=False)
    assert [str(one) for one in compare(good, bad, 0.05)] == ["Cu a0 (Å): 3.6 → 4.1"]
    assert compare(bad, good, 0.05) == []
    assert compare(bad, bad, 0.05) == []
    assert len(compare(good, content, 0.05)) == 1


def test_what_can_not_be_judged(registry: Registry, candidate) -> None:
    with pytest.raises(InputError, match="no model of this name"):
        judge(registry, "a/b")
    candidate(80.0)
    with pytest.raises(InputError, match="is negative"):
        judge(registry, "a/b", -0.1)


def test_an_old_candidate_is_refused(registry: Registry, candidate) -> None:
    for force_rmse in (80.0, 70.0):
        candidate(force_rmse)
        promote(registry, "a/b")
    registry.move_tag("model", "a/b", "candidate", 1)
    with pytest.raises(InputError, match="is older than a/b@2, which is latest"):
        promote(registry, "a/b")
