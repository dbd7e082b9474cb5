"""Intervals, tests and figures."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ..core.errors import nearest
from .sections import NamedOnce, Section, Seed

_USUAL_COLOURS = ("RdBu", "RdBu_r", "PuOr", "PuOr_r", "PRGn", "PRGn_r", "BrBG", "BrBG_r", "coolwarm")


def _colour_map(name: str) -> str:
    if name not in _USUAL_COLOURS:
        # Imported only where it must be asked: every cluster job reads the configuration.
        from matplotlib import colormaps

        if name not in colormaps:
            raise ValueError(f"{name!r} is not a colour map of matplotlib{nearest(name, colormaps)}")
    return name


class SmallestEffect(Section):
    """Differences that matter, in points of accuracy: a smaller one counts as none."""

    all: Annotated[float, Field(gt=0, lt=100)] = 2.0
    """Over all test questions."""
    specialty: Annotated[float, Field(gt=0, lt=100)] = 5.0
    """On the questions of one specialty."""


class Statistics(Section):
    """Intervals and tests."""

    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    seed: Seed = 0
    smallest_effect: SmallestEffect = SmallestEffect()


class Figures(Section):
    """How figures look."""

    formats: Annotated[list[Literal["png", "svg", "pdf"]], NamedOnce] = ["png", "svg", "pdf"]
    colours: Annotated[str, AfterValidator(_colour_map)] = "RdBu_r"
    """A diverging matplotlib colour map; its centre means no change."""
