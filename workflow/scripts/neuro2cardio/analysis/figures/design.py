"""The design of a study, drawn for people: what is trained on what, and what every adapter is asked."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from ...config.inference import Method
from ...core.adapters import Axes
from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure

SOURCES = {
    "s-medqa": "S-MedQA",
    "hpo": "Human Phenotype Ontology",
    "huggingface": "a set of the hub",
    "table": "a table",
}
ASKED: dict[Method, str] = {
    "letter": "letters of the options",
    "cloze": "texts of the options",
    "generate": "answers in free text",
}
BASE_ROWS = {"few-shot": "after worked examples", "best-prompt": "with its own best prompt"}
_NAMED = 4
"""More train sets, models, recipes or seeds than this are counted, not named."""


class Design(BaseModel):
    """What of a configuration the figure shows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    axes: Axes
    source: str
    methods: list[Method]
    permutations: int
    base_rows: list[str]
    """Rows of base models beside `base`."""
    terms: bool
    probes: bool


@dataclass(frozen=True)
class Box:
    """A step of the study: its corner and size in inches, its name, and what it says."""

    x: float
    y: float
    width: float
    height: float
    name: str
    said: list[str]


def draw(design: Design) -> "Figure":
    """The study from left to right, in the width of a page: questions, adapters, what they are asked, and what for."""
    with style.context():
        figure, panel = style.new_figure("page", 2.75)
        panel.set(xlim=(0, 7.0), ylim=(0, 2.75), aspect="equal")
        panel.axis("off")
        boxes = _boxes(design)
        for name, box in boxes.items():
            _draw_box(panel, box, style.COLOURS[0] if name == "verdict" else "0.55")
        scored, train, test = boxes["scored"], boxes["train"], boxes["test"]
        _arrow(panel, _right(boxes["questions"], train), _left(train))
        _arrow(panel, _right(boxes["questions"], test), _left(test))
        _arrow(panel, _right(train), _left(boxes["adapters"]))
        for name in ("adapters", "base", "test"):
            _arrow(panel, _right(boxes[name]), (scored.x, _right(boxes[name])[1]))
        for name in ("matrix", "terms", "probes"):
            if name in boxes:
                _arrow(panel, (scored.x + scored.width, _left(boxes[name])[1]), _left(boxes[name]))
        _arrow(panel, (scored.x + scored.width, _left(boxes["verdict"])[1]), _left(boxes["verdict"]))
    return figure


def _boxes(design: Design) -> dict[str, Box]:
    axes = design.axes
    own, controls = style.own_and_controls(axes)
    n = len(axes.model) * len(axes.recipe) * len(axes.train_set) * len(axes.seed)
    trained = [_named([style.label(name, axes) for name in own], "specialties")]
    trained += [f"Controls: {', '.join(controls)}"] if controls else []
    grid = [_named(axes.model, "models"), _named(axes.recipe, "recipes"), style.count(len(axes.seed), "seed")]
    base = ["as it is", *(BASE_ROWS[row] for row in design.base_rows)]
    orders = f" in {design.permutations} orders" if design.permutations > 1 else ""
    asked = [ASKED[m] + (orders if m != "cloze" else "") for m in design.methods]
    found = {
        "base": Box(2.95, 1.0, 1.4, 0.6, _plural("Base model", axes.model), [", ".join(base)]),
        "questions": Box(
            0.05, 0.9, 1.05, 0.95, "Questions", [SOURCES[design.source], "Leaks between splits are left out"]
        ),
        "train": Box(1.35, 1.8, 1.35, 0.9, style.count(len(axes.train_set), "train set"), trained),
        "adapters": Box(2.95, 1.8, 1.4, 0.9, f"LoRA: {style.count(n, 'adapter')}", grid),
        "test": Box(
            1.35, 0.15, 3.0, 0.5, "Test questions", [f"of all {_specialties(own)}: every adapter is asked all"]
        ),
        "scored": Box(4.6, 0.05, 1.1, 2.65, "Scoring", ["Log-probabilities of", *(f"• {a}" for a in asked)]),
        "matrix": Box(5.95, 2.1, 1.0, 0.6, "Transfer", ["train set × test specialty, minus base"]),
        "verdict": Box(5.95, 0.05, 1.0, 0.55, "Verdict", ["with intervals, power, controls"]),
    }
    if design.terms:
        found["scored"].said.append("• clinical terms and placebo words")
        found["terms"] = Box(5.95, 1.4, 1.0, 0.55, "Term shift", ["terms against placebo words"])
    if design.probes:
        found["scored"].said.append("• probes of facts")
        found["probes"] = Box(5.95, 0.72, 1.0, 0.55, "Probes", ["facts, asked another way"])
    return found


def _named(names: list[str], what: str) -> str:
    return ", ".join(names) if len(names) <= _NAMED else f"{len(names)} {what}"


def _plural(noun: str, of: list[str]) -> str:
    return noun if len(of) == 1 else f"{noun}s"


def _specialties(own: list[str]) -> str:
    return "specialties" if len(own) < 2 else f"{len(own)} specialties"


def _draw_box(panel: "Panel", box: Box, edge: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    look: dict[str, Any] = {
        "boxstyle": "round,pad=0,rounding_size=0.06",
        "linewidth": 0.8,
        "edgecolor": edge,
        "facecolor": "0.97",
    }
    panel.add_patch(FancyBboxPatch((box.x, box.y), box.width, box.height, **look))
    top = box.y + box.height - 0.07
    panel.text(box.x + 0.07, top, box.name, ha="left", va="top", fontsize=7, fontweight="bold")
    lines = [line for said in box.said for line in style.wrap(said, box.width - 0.2, style.SMALL)]
    most = int((box.height - 0.25) / style.line_height(style.SMALL))
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1]} …"]
    written: dict[str, Any] = {"fontsize": style.SMALL, "linespacing": style.LINE_SPACING, "color": "0.2"}
    panel.text(box.x + 0.07, top - 0.16, "\n".join(lines), ha="left", va="top", **written)


def _left(box: Box) -> tuple[float, float]:
    return box.x, box.y + box.height / 2


def _right(box: Box, towards: Box | None = None) -> tuple[float, float]:
    """The middle of the right edge, or the point of it that is nearest to the middle of another box."""
    middle = (towards or box).y + (towards or box).height / 2
    return box.x + box.width, min(max(middle, box.y + 0.2), box.y + box.height - 0.2)


def _arrow(panel: "Panel", start: tuple[float, float], end: tuple[float, float]) -> None:
    panel.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": "0.35", "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    )
