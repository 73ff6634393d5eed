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
    """Whether it is within its limits; without limits, whether it could be computed."""
    reason: str = ""
    """Why it could not be computed."""


class PropertyCurve(StrictModel):
    """What lies behind a value, to be drawn."""

    system: str
    """Name of the system."""
    name: str
    """What is shown."""
    x_label: str
    """Quantity and unit of `x`."""
    y_label: str
    """Quantity and unit of `y`."""
    x: tuple[float, ...]
    """Abscissae."""
    y: tuple[float, ...]
    """Ordinates."""
    points: bool = False
    """Whether single points were computed, not a curve."""
