"""Turn matplotlib figures into SVG that can stand inside of an HTML page."""

import io
import re
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from lamflow.report.palette import CSS_VARIABLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE: dict[str, object] = {
    "svg.fonttype": "none",  # text stays text: it takes the page's font and can be searched
    "font.size": 8.0,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
}
"""matplotlib's settings while a figure is made and written."""

_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
_FONT = re.compile(r"font: ([\d.]+)px [^;\"]*")
_FINE_DIGITS = re.compile(r"(?<=\d\.\d\d)\d+(?=[ \n\"])")  # a hundredth of a point is not seen


def to_markup(figure: "Figure", key: str, description: str, raster_dpi: int = 200) -> Markup:
    """Write `figure` as an inline SVG.

    Parameters
    ----------
    figure
        A matplotlib figure, drawn with the colours of `lamflow.report.palette`.
    key
        Unique in the page; the SVG's own ids begin with it.
    description
        What the figure shows, for readers who do not see it.
    raster_dpi
        Resolution of its rasterised parts.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": key}):
        figure.savefig(
            buffer, format="svg", transparent=True, metadata=_NO_METADATA, dpi=raster_dpi
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = _FINE_DIGITS.sub("", _FONT.sub(r"font-size: \1px", _own_ids(text, key)))
    for colour, variable in CSS_VARIABLES.items():
        text = text.replace(colour, variable)
    box = re.search(r'viewBox="([\d. -]+)"', text)
    if box is None:
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    head = (
        f'<svg viewBox="{box[1]}" role="img" aria-label="{escape(description)}"'
        ' preserveAspectRatio="xMidYMid meet">'
    )
    return Markup(head + text[text.index(">") + 1 :].strip())  # noqa: S704  # all text in it was escaped by matplotlib or above


def _own_ids(text: str, key: str) -> str:
    """Drop the ids that nothing refers to and make the others unique in the page."""
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))

    def replace(match: re.Match[str]) -> str:
        return f' id="{key}-{match[1]}"' if match[1] in used else ""

    text = re.sub(r'\sid="([^"]*)"', replace, text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{key}-\1)", text)
    return re.sub(r'href="#([^"]+)"', rf'href="#{key}-\1"', text)
