from itertools import combinations

from hypothesis import given, settings as hypothesis_settings, strategies as st
from matplotlib.axes import Axes as Panel
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread
from matplotlib.text import Text
import numpy as np
import pandas as pd
import planted
import pytest

from neuro2cardio.analysis import effect_tables, figures, references, transfer
from neuro2cardio.analysis.figures import design, style
from neuro2cardio.analysis.formatting import signed
from neuro2cardio.annotation import quorum_figure, votes
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.core import specialties
from neuro2cardio.core.adapters import Adapter
from neuro2cardio.core.errors import InputError
from neuro2cardio.operations import cost_figure
from neuro2cardio.questions.test_set import TestSet

ALL_SLUGS = [specialties.slug(name) for name in specialties.SPECIALTIES]
KEY = {"model": "small", "recipe": "completion"}
KINDS = [
    "transfer-letter",
    "transfer-against-mixed-letter",
    "diagonal-letter",
    "position-bias-letter",
    "term-shift-prompt",
    "term-shift-grid-prompt",
]


def tables_of(axes, seed=0):
    """Result tables with made-up numbers, in the columns of the real ones."""
    rng = np.random.default_rng(seed)
    asked = planted.questions(axes, each=12)
    test_set = TestSet.of(asked, axes.specialties)
    marks = (rng.random((len(axes.train_set), len(axes.seed), len(asked))) < 0.6).astype(float)
    block = transfer.Scores(*KEY.values(), "letter", (rng.random(len(asked)) < 0.4).astype(float), marks)
    statistics = Statistics()
    right = {
        Adapter(*KEY.values(), name, seed): {"letter": marks[i, j]}
        for i, name in enumerate(axes.train_set)
        for j, seed in enumerate(axes.seed)
    }
    return {
        "changes_against": references.table(right, axes, test_set.members, 0.95),
        "transfer_matrix": transfer.matrix([block], axes, test_set, statistics),
        "diagonal": effect_tables.diagonal([block], axes, test_set, statistics),
        "position_bias": letters_of(axes, rng),
        "term_shift": shifts_of(axes, rng),
        "term_shift_grid": shift_grid_of(axes, rng),
        "training_checks": checks_of(axes),
    }


def checks_of(axes, broken=()):
    """Of each adapter, whether it failed a check of its training."""
    index = pd.MultiIndex.from_product([axes.train_set, map(str, axes.seed)], names=["train_set", "seed"])
    frame = index.to_frame(index=False).assign(**KEY, method="letter", flags=np.nan)
    frame["broken"] = frame["train_set"].isin(broken)
    return frame.assign(flags=np.where(frame["broken"], "no_gradient", None))


def letters_of(axes, rng):
    rows = []
    for train_set in ["base", *axes.train_set]:
        for letter in "ABCD":
            recall = rng.uniform(0.2, 0.8)
            recipe = "base" if train_set == "base" else KEY["recipe"]
            rows.append(
                [KEY["model"], recipe, train_set, "letter", letter, 90, 2, 4, recall, recall - 0.1, recall + 0.1]
            )
    columns = ["model", "recipe", "train_set", "method", "letter", "n_questions", "n_seeds", "permutations"]
    frame = pd.DataFrame(rows, columns=[*columns, "recall", "recall_low", "recall_high"])
    return frame.assign(chosen_share=0.25, recall_sd=0.1, flip_rate=0.3)


def shifts_of(axes, rng):
    groups = ["terms", "own", "other", "placebo", "terms_minus_placebo", "own_minus_other", "own_adapter_minus_others"]
    index = pd.MultiIndex.from_product([[*axes.train_set, "all"], groups], names=["train_set", "group"])
    frame = index.to_frame(index=False).assign(**KEY, context="prompt", scope="strict", measure="mean", seed="all")
    frame["shift"] = rng.normal(0.1, 0.2, len(frame))
    return frame.assign(low=frame["shift"] - 0.1, high=frame["shift"] + 0.1, n_seeds=2)


def shift_grid_of(axes, rng):
    index = pd.MultiIndex.from_product([axes.train_set, axes.specialties], names=["train_set", "term_specialty"])
    frame = index.to_frame(index=False).assign(**KEY, context="prompt", scope="strict", n_mentions=1234, q=0.01)
    frame["shift"] = rng.normal(0.1, 0.3, len(frame))
    return frame.assign(low=frame["shift"] - 0.1, high=frame["shift"] + 0.1)


def curves_of(axes):
    curve = pd.DataFrame({"step": [1, 2, 3], "loss": [2.0, 1.5, 1.2]})
    return {(train_set, seed): curve for train_set in axes.train_set for seed in axes.seed}


def draw(name, axes, tables, width="page"):
    return figures.draw(name, tables, curves_of(axes), axes, KEY, "strict", "RdBu_r", width)


@pytest.mark.parametrize("specialties_shown", [1, 3, 15])
@pytest.mark.parametrize("probes", [False, True])
def test_the_design_says_everything_inside_of_its_boxes(specialties_shown, probes, tmp_path):
    controls = ["mixed", "shuffled-answers", "general", "random-1", "without-cardiology", "without-neurology"]
    names = ["meta-llama-3.1-8b-instruct-turbo", "mistral-7b-instruct-v0.2", "qwen2.5-7b", "gemma-3-27b-it"]
    axes = planted.axes_of(ALL_SLUGS[:specialties_shown], seeds=(1, 2)).model_copy(
        update={"model": names, "train_set": [*ALL_SLUGS[:specialties_shown], *controls]}
    )
    drawn = design.draw(
        design.Design(
            axes=axes, source="huggingface", methods=["letter", "cloze", "generate"], permutations=4,
            base_rows=["few-shot", "best-prompt"], terms=True, probes=probes,
        )
    )  # fmt: skip
    figures.save(drawn, tmp_path / "design", ["png"])
    height, width, _ = imread(tmp_path / "design.png").shape
    assert height / width > 0.38, "it was cut off"
    FigureCanvasAgg(drawn).draw()
    (panel,) = drawn.axes
    boxes = [patch.get_window_extent() for patch in panel.patches]
    for text in (text for text in panel.texts if text.get_text()):
        at = text.get_window_extent()
        assert any(b.x0 < at.x0 and at.x1 < b.x1 and b.y0 < at.y0 and at.y1 < b.y1 for b in boxes), text.get_text()
    said = "\n".join(text.get_text() for text in panel.texts)
    assert f"LoRA: {2 * len(names) * len(axes.recipe) * len(axes.train_set)} adapters" in said
    assert ("Probes" in said) == probes


@pytest.fixture(scope="module", params=[3, 15])
def grid_and_tables(request):
    axes = planted.axes_of([*ALL_SLUGS[-request.param :], "mixed"])
    return axes, tables_of(axes)


def drawn_texts(figure):
    """Level texts with their boxes in pixels; matplotlib keeps tick labels beyond the axis, which are not drawn."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    beyond = set()
    for panel in figure.findobj(Panel):
        for i, axis in enumerate((panel.xaxis, panel.yaxis)):
            low, high = sorted(axis.get_view_interval())
            off = not panel.axison
            beyond |= {label for label in axis.get_ticklabels() if off or not low <= label.get_position()[i] <= high}
    return [
        (text.get_text(), text.get_window_extent(canvas.get_renderer()))
        for text in figure.findobj(Text)
        if text.get_text() and text.get_visible() and text.get_rotation() == 0 and text not in beyond
    ]


@pytest.mark.parametrize("width", ["page", "column"])
@pytest.mark.parametrize("kind", [*KINDS, "training-loss"])
def test_no_text_overlaps_another(kind, width, grid_and_tables):
    axes, tables = grid_and_tables
    texts = drawn_texts(draw(kind, axes, tables, width))
    assert len(texts) > 8
    for (first, box), (second, other) in combinations(texts, 2):
        shared = min(box.x1, other.x1) - max(box.x0, other.x0), min(box.y1, other.y1) - max(box.y0, other.y0)
        assert min(shared) <= 1, f"{first!r} overlaps {second!r}"


def test_every_cell_of_the_heatmap_is_written_and_base_comes_first(grid_and_tables):
    axes, tables = grid_and_tables
    figure = draw("transfer-letter", axes, tables)
    words = [text.get_text() for text in figure.axes[0].texts]
    matrix = tables["transfer_matrix"]
    assert sum(word.endswith("%") for word in words) == len(axes.specialties) + 1
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["Base model", *axes.specialties, "Mixed"]
    row = matrix[matrix["change"].notna()].iloc[0]
    assert any(word.split()[0].rstrip("*") == signed(100 * row["change"]) for word in words)
    stars = sum("*" in word for word in words)
    assert stars == ((matrix["change_low"] > 0) | (matrix["change_high"] < 0)).sum() > 0


def test_a_heatmap_against_a_control_has_its_accuracies_on_top_and_no_other_row_of_it(grid_and_tables):
    axes, tables = grid_and_tables
    figure = draw("transfer-against-mixed-letter", axes, tables)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["Mixed", *axes.specialties]
    words = [text.get_text() for text in figure.axes[0].texts]
    matrix = tables["transfer_matrix"].query("train_set == 'mixed'").set_index("test_specialty")
    accuracies = [f"{100 * matrix.loc[name, 'accuracy']:.0f}%" for name in (*axes.specialties, "all")]
    assert [word for word in words if word.endswith("%")] == accuracies
    written = [word.split()[0].rstrip("*") for word in words if word and word[0] in "+\N{MINUS SIGN}0"]
    changes = tables["changes_against"].query("against == 'mixed'").set_index(["train_set", "test_specialty"])["change"]
    rows = [name for name in axes.train_set if name != "mixed"]
    for row in (signed(100 * changes[name, test]) for name in rows for test in (*axes.specialties, "all")):
        assert row in written
    said = " ".join(text.get_text().replace("\n", " ") for text in figure.findobj(Text))
    assert "lost against the adapters of mixed" in said


def test_colours_are_centred_on_zero(grid_and_tables):
    axes, tables = grid_and_tables
    low, high = draw("transfer-letter", axes, tables).axes[1].get_xlim()
    assert low == -high and high >= 5


@pytest.mark.parametrize("kind", ["transfer-letter", "term-shift-prompt"])
def test_equal_tables_give_equal_bytes(kind, tmp_path):
    axes = planted.axes_of([*ALL_SLUGS[:3], "mixed"])
    for name in ("one", "two"):
        figures.save(draw(kind, axes, tables_of(axes)), tmp_path / name, ["png", "svg", "pdf"])
    for suffix in ("png", "svg", "pdf"):
        first, second = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "two"))
        assert first == second and len(first) > 1000


@pytest.mark.parametrize(("width", "inches"), [("page", 7.0), ("column", 3.3)])
@pytest.mark.parametrize("kind", [*KINDS, "training-loss"])
def test_figures_are_as_wide_as_a_page_or_column_and_can_be_read_there(kind, width, inches, grid_and_tables):
    axes, tables = grid_and_tables
    figure = draw(kind, axes, tables, width)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    assert figure.get_figwidth() == inches
    written = [t for t in figure.findobj(Text) if t.get_text() and t.get_visible()]
    assert min(text.get_fontsize() for text in written) >= 6
    boxes = [box for _, box in drawn_texts(figure)]
    assert min(box.x0 for box in boxes) >= -1 and max(box.x1 for box in boxes) <= inches * figure.dpi + 1


def test_the_heatmap_warns_of_broken_adapters_and_says_what_is_wrong():
    axes = planted.axes_of([*ALL_SLUGS[:3], "mixed"])
    tables = tables_of(axes) | {"training_checks": checks_of(axes, broken=["mixed"])}
    figure = draw("transfer-letter", axes, tables)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][-1] == "⚠ Mixed"
    said = " ".join(text.get_text().replace("\n", " ") for text in figure.findobj(Text))
    assert "⚠ An adapter failed a check of its training. Mixed:" in said


def test_an_unknown_figure_is_an_error(grid_and_tables):
    axes, tables = grid_and_tables
    with pytest.raises(InputError, match="unknown figure 'transfr-cloze'; did you mean 'transfer'"):
        draw("transfr-cloze", axes, tables)


def test_quorums_that_come_to_the_same_share_a_label():
    truth = {"q0": ["Cardiology"], "q1": ["Neurology"]}
    counted = pd.DataFrame({"question_id": list(truth), "winner": ["Cardiology", "Neurology"], "agreement": [2, 4]})
    figure = quorum_figure.quorum_tradeoff(votes.by_quorum(counted, truth, range(1, 6)), 3)
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(labels) == ["1+, 2+", "3+, 4+"]


def test_planned_stands_beside_measured_between_whole_powers_of_ten():
    rows = [("finetune", "small", 4, 0.08, 0.2), ("infer_base", "small", 1, 0.01, 0.01)]
    costs = pd.DataFrame(rows, columns=["rule", "model", "measured_jobs", "planned_hours", "measured_hours"])
    figure = cost_figure.planned_and_measured(costs)
    panel = figure.axes[0]
    assert panel.get_xlim() == (0.01, 1.0)
    assert [label.get_text() for label in panel.get_yticklabels()] == [
        "finetune · small (4 jobs)",
        "infer_base · small (1 job)",
    ]


def test_a_pdf_embeds_its_fonts_as_outlines_that_journals_take(tmp_path):
    axes = planted.axes_of(["cardiology", "neurology"])
    figures.save(draw("transfer-letter", axes, tables_of(axes)), tmp_path / "figure", ["pdf"])
    content = (tmp_path / "figure.pdf").read_bytes()
    assert b"/FontFile2" in content and b"/Type3" not in content


NAMES = st.lists(st.text("aWi.", min_size=1, max_size=12), min_size=1, max_size=6)


@given(NAMES, st.sampled_from([" ", "-"]), st.floats(0.05, 2))
@hypothesis_settings(max_examples=60, deadline=None)
def test_names_are_broken_into_full_lines_that_fit(names, between, inches):
    lines = style.wrap(between.join(names), inches, 7)
    assert "".join(lines).replace(" ", "") == between.join(names).replace(" ", "")
    assert all(lines)
    for line in lines:
        assert style.text_width(line, 7) <= inches or len(line.rstrip("-").split(between)) == 1
