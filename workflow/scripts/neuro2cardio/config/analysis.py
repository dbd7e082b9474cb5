"""Intervals, tests and figures."""

from typing import Annotated, Literal

from pydantic import Field

from .sections import Section


class Statistics(Section):
    """Intervals and tests."""

    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    draws: Annotated[int, Field(ge=100)] = 5000
    """Bootstrap samples of the test questions."""
    seed: Annotated[int, Field(ge=0)] = 0


class Figures(Section):
    """How figures look."""

    formats: list[Literal["png", "svg", "pdf"]] = ["png", "svg", "pdf"]
    colours: str = "RdBu_r"
    """A diverging matplotlib colour map; its centre is no change."""
