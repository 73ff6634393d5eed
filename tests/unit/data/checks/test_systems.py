from lamflow.data.checks.findings import Finding
from lamflow.data.checks.systems import system_faults


def _unit(frame: int) -> Finding:
    return Finding(frame, "E_UNIT", 1.0, 0.1, "read as Hartree", "energy * 27.2114")


def test_most_frames_make_a_fault_of_the_system() -> None:
    systems = ["a"] * 10 + ["b"] * 10
    findings = [_unit(frame) for frame in range(7)] + [_unit(12)]
    (fault,) = system_faults(findings, systems)
    assert (fault.system, fault.code, fault.repair) == ("a", "E_UNIT", "energy * 27.2114")
    assert "7 of 10 frames" in fault.what


def test_a_few_frames_do_not() -> None:
    assert system_faults([_unit(frame) for frame in range(4)], ["a"] * 6) == []


def test_duplicates_are_about_frames() -> None:
    findings = [Finding(frame, "DUP", 0.0, 0.1, "the same") for frame in range(9)]
    assert system_faults(findings, ["a"] * 10) == []
