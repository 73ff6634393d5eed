"""How an update ends: what becomes of each dataset, written down and done."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lamflow.registry.inbox import Outcome
from lamflow.registry.registry import Registry
from lamflow.update.decide import Decision, to_train
from lamflow.update.grow import Growth
from lamflow.update.ledger import Ending, close, updates_key
from lamflow.update.plan import Plan, lease_of
from lamflow.update.publish import GateResult


def ending_of(
    plan: Plan,
    decisions: Sequence[Decision],
    growth: Growth,
    gate: GateResult,
) -> Ending:
    """Say how an update ended.

    If a training failed or the gate refused what came of several datasets, one of them may be the
    cause: none is given up, each is tried again alone.

    Parameters
    ----------
    plan, decisions, growth, gate
        What the update did.
    """
    learnt = to_train(decisions)
    again = len(learnt) > 1 and not gate.passed
    outcomes = [
        _outcome(one, growth, gate) for one in decisions if not (again and one.decision == "train")
    ]
    return Ending(
        id=plan.id,
        base=plan.base,
        candidate=gate.candidate,
        release=gate.candidate if gate.passed else None,
        worse=gate.worse,
        outcomes=tuple(outcomes),
        alone={one.name: one.sha256 for one in learnt} if again else {},
    )


def _outcome(one: Decision, growth: Growth, gate: GateResult) -> Outcome:
    if one.decision != "train":
        return Outcome(name=one.name, sha256=one.sha256, decision=one.decision, reason=one.reason)
    if gate.passed:
        decision, reason = "published", f"head {one.head}: {one.reason}"
    elif growth.failed:
        decision, reason = "stopped", f"training failed: {growth.failed}"
    else:
        decision, reason = "stopped", f"the gate refused it: {'; '.join(gate.worse)}"
    return Outcome(
        name=one.name, sha256=one.sha256, decision=decision, reason=reason, release=gate.candidate
    )


def finish(registry: Registry, model: str, plan: Plan, ending: Ending, report: Path) -> Ending:
    """Store the report, record the ending and do what it says, and give back the lease.

    An update that had nothing to do leaves no record.

    Raises
    ------
    RunError
        Another update came first.
    """
    if ending.outcomes or ending.alone:
        key = updates_key(model, "@reports", f"{plan.id}.html")
        registry.store.put(key, report)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        outcomes = tuple(one.model_copy(update={"report": key}) for one in ending.outcomes)
        ending = ending.model_copy(update={"outcomes": outcomes, "report": key, "finished": now})
        close(registry, model, ending)
    lease_of(registry.store, model, plan.owner, 1.0).release()
    return ending
