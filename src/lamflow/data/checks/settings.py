"""What the user decides about each fault."""

from typing import Literal

from pydantic import Field

from lamflow.config.base import PositiveInteger, StrictModel

Decision = Literal["reject", "repair", "warn", "off"]

# What is told but not acted on unless the user says so.
_DEFAULT_WARN = {"DUP_TURNED", "E_OUTLIER"}


class CheckSettings(StrictModel):
    """Decisions per fault code, and how much work the model check may do."""

    decisions: dict[str, Decision] = Field(default={})
    """Fault code (see the list of codes in the documentation) to reject, repair, warn or off.
    Codes that are not named are rejected, but DUP_TURNED and E_OUTLIER, which warn."""
    model: bool = True
    """Whether to check labels with a cross-validated committee of models."""
    block: PositiveInteger = 500
    """Frames of one set of elements that are checked together by the committee."""
    workers: PositiveInteger | None = None
    """Processes that work at the same time; default: one per core."""

    def decide(self, code: str, *, repairable: bool) -> Decision:
        """Return what to do about a fault; what cannot be repaired is rejected instead."""
        decision = self.decisions.get(code, "warn" if code in _DEFAULT_WARN else "reject")
        return "reject" if decision == "repair" and not repairable else decision
