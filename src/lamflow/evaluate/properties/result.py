"""What came of a property test: goes into files and cards."""

from lamflow.config.base import StrictModel


class PropertyValue(StrictModel):
    """What came of a test."""

    system: str
    """Element and structure."""
    name: str
    """Property."""
    value: float | None
    """What the model predicts; null if it could not be computed."""
    unit: str
    """Unit of the value."""
    reference: float | None
    """What it should be."""
    passed: bool
    """Whether it is within its limits."""
    reason: str = ""
    """Why it could not be computed."""
