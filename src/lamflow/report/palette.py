"""The one palette of all reports.

Plots are drawn with the hexadecimal colours below, and `lamflow.report.svg` replaces each by the
CSS variable of the same role, so that one drawing is legible on white and on dark paper.
The series colours are those of Okabe and Ito, which colour-blind readers can tell apart.
"""

INK = "#1c2126"
MUTED = "#5c6670"
RULE = "#c9ced4"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")

CSS_VARIABLES: dict[str, str] = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    **{colour: f"var(--series-{index})" for index, colour in enumerate(SERIES, start=1)},
}

RASTER = "#2f8fcb"
"""Colour of points that are drawn as pixels; it has contrast on white and on dark paper."""
