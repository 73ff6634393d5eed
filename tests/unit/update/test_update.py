"""Updates: what they take on, what they decide, and that nothing happens twice."""

import multiprocessing
from pathlib import Path

import pytest
from registry_runs import write_run

from lamflow.data.card import dataset_sha256
from lamflow.data.checks.settings import CheckSettings
from lamflow.errors import InputError, RunError
from lamflow.registry.inbox import Outcome, conclude, find, is_alone, submit
from lamflow.registry.lease import LeaseLostError
from lamflow.registry.models import push_model
from lamflow.registry.names import LATEST
from lamflow.registry.registry import Registry
from lamflow.store.local import LocalStore
from lamflow.update import ledger
from lamflow.update.base import find_base
from lamflow.update.decide import Decision, decide
from lamflow.update.finish import ending_of, finish
from lamflow.update.grow import Growth
from lamflow.update.holding import holding
from lamflow.update.ledger import Ending, close, endings, settle
from lamflow.update.plan import Plan, Wanted, Work, make_plan, survey
from lamflow.update.publish import GateResult
from lamflow.update.vet import Rules, Verdict, vet
from lamflow.update.weigh import Novelty

MODEL = "open/tiny"
DEMO = Path(__file__).parents[3] / "workflows/data"
HOUR = 3600.0


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(LocalStore(tmp_path / "registry"))


def send(registry: Registry, tmp_path: Path, name: str, text: str = "1") -> Wanted:
    folder = tmp_path / f"sent-{name}"
    folder.mkdir(exist_ok=True)
    (folder / "data.raw").write_text(text)
    manifest = submit(registry.store, folder, name).manifest
    assert manifest is not None
    return Wanted(name=name, sha256=manifest.sha256)


def push(registry: Registry, tmp_path: Path, weights: str) -> str:
    run = write_run(tmp_path / f"run-{weights}", {"tio2": DEMO / "tio2"}, weights=weights)
    return str(push_model(registry, run / "result/model", MODEL, run=run))


def names(work: Work) -> list[str]:
    return [one.name for one in work.datasets]


def learnt(one: Wanted, slot: str = "slot-01") -> Decision:
    return Decision(
        slot=slot, name=one.name, sha256=one.sha256, decision="train", reason="new", head=one.name
    )


def test_an_update_takes_what_is_new_and_no_more_than_it_may(
    registry: Registry, tmp_path: Path
) -> None:
    assert survey(registry, MODEL, 2) == Work(base=None)
    sent = [send(registry, tmp_path, name) for name in ("c", "a", "b")]
    work = survey(registry, MODEL, 2)
    assert (names(work), work.waiting) == (["a", "b"], ("c",))
    done = Outcome(name="a", sha256=sent[1].sha256, decision="covered")
    conclude(registry.store, done)
    assert names(survey(registry, MODEL, 2)) == ["b", "c"]
    registry.store.write("inbox/torn/data.raw", b"1")
    assert list(survey(registry, MODEL, 2).incomplete) == ["torn"]
    send(registry, tmp_path, "a", "changed")
    assert names(survey(registry, MODEL, 4)) == ["a", "b", "c"]


def test_looking_at_submission_fixes_what_is_done(registry: Registry, tmp_path: Path) -> None:
    """The same state gives the same parameters, so the same keys; another state is refused."""
    send(registry, tmp_path, "a")
    seen = survey(registry, MODEL, 4)
    assert seen == survey(registry, MODEL, 4)
    assert make_plan(registry, MODEL, 4, HOUR, "me", seen).datasets == seen.datasets
    send(registry, tmp_path, "b")
    with pytest.raises(RunError, match="have changed since this run was submitted"):
        make_plan(registry, MODEL, 4, HOUR, "me", seen)


def test_two_updates_do_not_collide(registry: Registry, tmp_path: Path) -> None:
    send(registry, tmp_path, "a")
    plan = make_plan(registry, MODEL, 4, HOUR, "first", None)
    with pytest.raises(RunError, match=r"another update of open/tiny is at work \(first\)"):
        make_plan(registry, MODEL, 4, HOUR, "second", None)
    make_plan(registry, MODEL, 4, HOUR, "first", None)  # a run that goes on
    other = plan.model_copy(update={"owner": "second"})
    with (
        pytest.raises(LeaseLostError, match="another update of open/tiny took over"),
        holding(registry.store, MODEL, other, HOUR),
    ):
        pytest.fail("both have the lease")
    report = tmp_path / "report.html"
    report.write_text("nothing")
    finish(registry, MODEL, plan, Ending(id=plan.id, base=None), report)
    assert endings(registry.store, MODEL) == [], "an update without work leaves no record"
    assert make_plan(registry, MODEL, 4, HOUR, "second", None).owner == "second"


def test_an_ending_is_done_once(registry: Registry, tmp_path: Path) -> None:
    sent = send(registry, tmp_path, "a")
    first = push(registry, tmp_path, "1")
    outcome = Outcome(name="a", sha256=sent.sha256, decision="published", release=first)
    ending = Ending(id="x", base=None, candidate=first, release=first, outcomes=(outcome,))
    for _ in range(2):
        close(registry, MODEL, ending)
    assert endings(registry.store, MODEL) == [ending]
    assert registry.tags("model", MODEL)[LATEST] == 1
    assert find(registry.store, "a").outcome == outcome
    # Somebody goes back by hand: nobody undoes that.
    push(registry, tmp_path, "2")
    registry.move_tag("model", MODEL, LATEST, 2)
    settle(registry, MODEL)
    assert registry.tags("model", MODEL)[LATEST] == 2


def test_what_a_dead_update_left_is_done_by_the_next(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between record and deed: what was decided counts at once, and is done later."""
    sent = send(registry, tmp_path, "a")
    first = push(registry, tmp_path, "1")
    outcome = Outcome(name="a", sha256=sent.sha256, decision="published", release=first)
    ending = Ending(id="x", base=None, candidate=first, release=first, outcomes=(outcome,))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "_do", die)
        with pytest.raises(KeyboardInterrupt):
            close(registry, MODEL, ending)
    assert LATEST not in registry.tags("model", MODEL)
    assert find(registry.store, "a").is_new
    work = survey(registry, MODEL, 4)
    assert (work.base, work.datasets) == (first, ())
    plan = make_plan(registry, MODEL, 4, HOUR, "", work)
    assert (plan.base, plan.datasets) == (first, ())
    assert registry.tags("model", MODEL)[LATEST] == 1
    assert find(registry.store, "a").outcome == outcome


def test_who_is_overtaken_changes_nothing(registry: Registry, tmp_path: Path) -> None:
    sent = send(registry, tmp_path, "a")
    first, second = (push(registry, tmp_path, weights) for weights in "12")
    outcome = Outcome(name="a", sha256=sent.sha256, decision="published", release=first)
    close(registry, MODEL, Ending(id="x", base=None, release=first, outcomes=(outcome,)))
    with pytest.raises(RunError, match="another update of open/tiny came first"):
        close(registry, MODEL, Ending(id="y", base=None, release=second))
    late = outcome.model_copy(update={"decision": "stopped", "release": None})
    with pytest.raises(RunError, match="another update of open/tiny came first"):
        close(registry, MODEL, Ending(id="z", base=first, outcomes=(late,)))
    assert registry.tags("model", MODEL)[LATEST] == 1
    assert len(endings(registry.store, MODEL)) == 1


def _close_one(root: Path, number: int) -> None:
    registry = Registry(LocalStore(root))
    try:
        close(registry, MODEL, Ending(id=f"update {number}", base=None, release=f"{MODEL}@1"))
    except RunError:
        raise SystemExit(7) from None


def test_of_many_that_end_at_once_one_is_first(registry: Registry, tmp_path: Path) -> None:
    push(registry, tmp_path, "1")
    fork = multiprocessing.get_context("fork")
    children = [
        fork.Process(target=_close_one, args=(tmp_path / "registry", number)) for number in range(8)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert sorted(str(child.exitcode) for child in children) == ["0", *["7"] * 7]
    assert len(endings(registry.store, MODEL)) == 1


def test_what_fails_together_is_tried_again_alone(registry: Registry, tmp_path: Path) -> None:
    wanted = [send(registry, tmp_path, name) for name in ("a", "b")]
    plan = make_plan(registry, MODEL, 4, HOUR, "", None)
    refused = GateResult(candidate=f"{MODEL}@2", worse=("x: 1 → 2",))
    ending = ending_of(plan, [learnt(one) for one in wanted], Growth(trained=True), refused)
    assert (ending.outcomes, sorted(ending.alone)) == ((), ["a", "b"])
    close(registry, MODEL, ending)
    assert all(is_alone(registry.store, one.name, one.sha256) for one in wanted)
    assert names(survey(registry, MODEL, 4)) == ["a"]
    send(registry, tmp_path, "c")
    assert names(survey(registry, MODEL, 4)) == ["c"], "new ones do not wait for the doubtful"
    alone = ending_of(plan, [learnt(wanted[0])], Growth(trained=True), refused)
    (outcome,) = alone.outcomes
    assert (outcome.decision, outcome.reason) == ("stopped", "the gate refused it: x: 1 → 2")
    failed = ending_of(plan, [learnt(wanted[0])], Growth(failed="NaN"), GateResult())
    assert failed.outcomes[0].reason == "training failed: NaN"


def test_decisions() -> None:
    def verdict(name: str | None, **more: object) -> Verdict:
        return Verdict.model_validate({"name": name, "sha256": "1", "good": True, **more})

    new = Novelty(reason="new", best_head="metal")
    found = decide(
        {
            "1": verdict("bad", good=False, reason="NaN"), "2": verdict("old"),
            "3": verdict("fresh"), "4": verdict("metal"), "5": verdict("more"), "6": verdict(None),
        },
        {"1": Novelty(), "2": Novelty(covered=True, reason="known"), "3": new, "4": new, "5": new,
         "6": Novelty()},
        heads=("metal", "oxide"), joins={"more": "oxide"}, fresh=False,
    )  # fmt: skip
    assert [(one.name, one.decision, one.head, one.joins, one.start) for one in found] == [
        ("bad", "quarantined", "", False, ""),
        ("old", "covered", "", False, ""),
        ("fresh", "train", "fresh", False, "metal"),
        ("metal", "train", "metal", True, ""),
        ("more", "train", "oxide", True, ""),
    ]


RULES = Rules(
    (), 0.5, CheckSettings(model=False), {"train": 0.7, "validation": 0.1, "test": 0.2}, seed=1
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("", ""),
        ("no licence", "no licence is given"),
        ("licence", "MIT is not among those taken: CC0-1.0"),
        ("other data", "is the card of other data"),
        ("damaged", "card.json: not a dataset card"),
        ("no data", "no data"),
        ("lost", "there is no"),
    ],
)
def test_what_is_wrong_with_a_dataset_becomes_a_verdict(
    registry: Registry, tmp_path: Path, change: str, reason: str
) -> None:
    import json
    import shutil

    folder = tmp_path / "mine"
    shutil.copytree(DEMO / "tio2_test", folder)
    card = json.loads((folder / "card.json").read_text())
    if change == "no licence":
        card["licence"] = ""
    if change == "other data":
        card["sha256"] = "0" * 64
    if change == "no data":
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / "readme.txt").write_text("later")
        card["sha256"] = dataset_sha256(folder)
    (folder / "card.json").write_text("{" if change == "damaged" else json.dumps(card))
    manifest = submit(registry.store, folder, "oxide").manifest
    assert manifest is not None
    if change == "lost":
        registry.store.delete(f"inbox/oxide/{manifest.files[-1].path}")
    rules = RULES if change != "licence" else Rules(("CC0-1.0",), *list(vars(RULES).values())[1:])
    verdict = vet(
        registry.store, Wanted(name="oxide", sha256=manifest.sha256), rules, tmp_path / "parts",
        tmp_path / "quarantine", tmp_path / "scratch",
    )  # fmt: skip
    assert reason in verdict.reason
    assert verdict.good is not bool(change)
    assert (tmp_path / "parts").is_dir()
    assert (tmp_path / "quarantine").is_dir()
    if not change:
        assert (verdict.frames_in, verdict.licence) == (80, "MIT")
        assert (tmp_path / "parts/test/card.json").is_file()


def test_a_model_without_registered_data_is_refused(registry: Registry, tmp_path: Path) -> None:
    reference = push(registry, tmp_path, "1")
    plan = Plan(base=reference, id="x", owner="me")
    with pytest.raises(InputError, match=r"training data of head tio2.*models push RUN --data"):
        find_base(registry, plan)
