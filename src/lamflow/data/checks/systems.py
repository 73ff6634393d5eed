"""Faults of whole systems: what most frames of a folder or file have in common."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from lamflow.data.checks.findings import Finding, SystemFault

MOST = 0.5
_FEWEST = 5
# Duplicates are about single frames, however many there are.
_OF_FRAMES = {"DUP", "DUP_TURNED"}
_NAMED_FIRST = ("E_UNIT", "F_UNIT", "F_SIGN", "V_UNIT", "V_SIGN", "STRETCHED")


def system_faults(findings: Sequence[Finding], systems: Sequence[str]) -> list[SystemFault]:
    """Return the systems in which most frames have the same fault.

    Parameters
    ----------
    findings
        Findings of single frames.
    systems
        System of each frame, by the frame's number.
    """
    sizes = Counter(systems)
    members: dict[tuple[str, str], dict[int, Finding]] = defaultdict(dict)
    for finding in findings:
        if finding.code not in _OF_FRAMES:
            members[systems[finding.frame], finding.code].setdefault(finding.frame, finding)
    common = {
        key: list(found.values())
        for key, found in members.items()
        if len(found) >= max(_FEWEST, MOST * sizes[key[0]])
    }
    faults = []
    for system in sorted({system for system, _ in common}):
        codes = sorted((code for name, code in common if name == system), key=_rank)
        faults += [_fault(system, code, common[system, code], sizes[system]) for code in codes]
    return faults


def _rank(code: str) -> tuple[int, str]:
    named = _NAMED_FIRST.index(code) if code in _NAMED_FIRST else len(_NAMED_FIRST)
    return named, code


def _fault(system: str, code: str, found: list[Finding], size: int) -> SystemFault:
    repairs = Counter(finding.repair.split(" * ")[0] for finding in found)
    example = found[len(found) // 2]
    what = f"{len(found)} of {size} frames have the same fault; for example {example.what}"
    repair = example.repair if repairs.most_common(1)[0][1] > MOST * len(found) else ""
    return SystemFault(system, code, what, repair)
