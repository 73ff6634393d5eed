"""The plot that compares models before and after fine-tuning."""

from collections.abc import Mapping

from lamflow.report.palette import MUTED, SERIES
from lamflow.report.plots import Panel, new_axes
from lamflow.report.svg import to_markup
from lamflow.report.text import error

_COLOURS = {
    "baseline": MUTED, "zero-shot": SERIES[1], "from scratch": SERIES[2], "fine-tuned": SERIES[0],
}  # fmt: skip


def comparison(
    errors: Mapping[str, Mapping[str, float | None]], words: str, unit: str
) -> list[Panel]:
    """Draw one error of several models, a panel of bars for each dataset.

    Parameters
    ----------
    errors
        Per dataset, the error by model; None where there is no such model.
    words, unit
        Of the error.
    """
    panels = []
    for number, (name, by_model) in enumerate(errors.items()):
        shown = {model: value for model, value in by_model.items() if value is not None}
        figure, axes = new_axes((2.9, 0.8 + 0.3 * len(shown)))
        bars = axes.barh(
            list(shown), list(shown.values()), color=[_COLOURS[m] for m in shown], height=0.62
        )
        axes.bar_label(
            bars, labels=[error(value) for value in shown.values()], padding=3, fontsize=8
        )
        axes.invert_yaxis()
        axes.set_xlim(0, 1.3 * max(shown.values(), default=1.0))
        axes.set_xlabel(f"{words} ({unit})")
        caption = ", ".join(f"{model} {error(value)}" for model, value in shown.items())
        picture = to_markup(figure, f"comparison-{number}", f"{words} on {name}: {caption} {unit}.")
        panels.append(Panel(name, picture, f"{words}, {unit}"))
    return panels
