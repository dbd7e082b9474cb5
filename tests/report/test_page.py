"""The report in a real browser: what its reader sees, and what no text of the data may do to it."""

import base64
import json
from pathlib import Path
import shutil

import axe_core_python
from axe_core_python.base import AXE_FILE_NAME
from browser import Browser
import numpy as np
import pandas as pd
import planted
import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from neuro2cardio.analysis import answers, paired, references, transfer
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.core import files, tables
from neuro2cardio.core.adapters import Adapter, Axes
from neuro2cardio.questions.test_set import TestSet
from neuro2cardio.report import collect, page

EVIL = '<img src=x onerror="document.body.dataset.evil=1"><script>document.body.dataset.evil=2</script>${1+1}'
SETTINGS = {"experiment": "x", "terms": {"contexts": ["prompt"]}}
TRAIN_SETS = ("cardiology", "neurology", "dermatology", "mixed")


def results(folder: Path, axes: Axes, each: int = 20, stem: str = "A patient with angina. What next?") -> Path:
    """A finished grid with planted effects, as the workflow leaves it."""
    asked = planted.questions(axes, each=each)
    asked["stem"] = [f"{stem} Case {i}. " + "word " * 20 for i in range(len(asked))]
    asked["options"] = [[f"{stem[:60]} option {j}" for j in range(4)] for _ in range(len(asked))]
    tables.write(asked, folder / "test_split/questions.parquet", tables.QUESTIONS)
    found = planted.mentions(axes, asked, each=2, candidates=1)
    tables.write(found, folder / "test_split/mentions.parquet", tables.MENTIONS)
    planted.predictions(folder / "predictions", axes, asked, lambda *_: 0.1, methods=("cloze", "letter"))
    planted.term_logprobs(folder / "term_logprobs", axes, found, lambda *_: 0.2, contexts=["prompt"])
    planted.training_curves(folder / "adapters", axes)
    _write_tables(folder, axes, asked)
    files.write_json(folder / "tables/verdict.json", _verdict(stem))
    return folder


def _verdict(text: str) -> dict:
    row = {"train_set": "mixed", "test_specialty": "all"}
    said = {"id": "common_gain", "sentence": f"Common gain. {text}", "answer": "gain", "table": "transfer_matrix.csv"}
    one = {
        "id": "best_own:Cardiology",
        "sentence": "Cardiology: undecided.",
        "answer": "undecided",
        "table": "",
        "row": {},
    }
    key = {"model": "small", "recipe": "completion"}
    entry = {**key, "method": "cloze", "answer": "undecided", "broken": 0, "statements": [{**said, "row": row}, one]}
    return {"version": 1, "broken": "", "combinations": [entry], "over_models": [], "terms": []}


def _write_tables(folder: Path, axes: Axes, asked) -> None:
    test_set = TestSet.of(asked, axes.specialties)
    read = {a: tables.read(a.path(folder / "predictions"), tables.PREDICTIONS) for a in axes.everything()}
    marked = {a: answers.marks(answers.answers(frame), test_set, ["cloze", "letter"]) for a, frame in read.items()}
    blocks = transfer.scores(marked, axes, ["cloze", "letter"])
    tables.write_csv(transfer.matrix(blocks, axes, test_set, Statistics()), folder / "tables/transfer_matrix.csv")
    compared = references.by_method(marked, ["cloze", "letter"])
    changes = references.table(compared, axes, test_set.members, 0.95)
    tables.write_csv(changes, folder / "tables/changes_against.csv")


def written(folder: Path, axes: Axes, to: Path, **more) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(page.render(collect.collect(folder, axes, SETTINGS, **more), "The tiny study"), encoding="utf-8")
    return to


def axe_violations(browser: Browser) -> list:
    """What axe-core finds wrong with the open page. Fails the test where it checked next to nothing."""
    axe = (Path(axe_core_python.__file__).parent / AXE_FILE_NAME).read_text()
    # Through the debugger: the page's own policy lets no other script in.
    browser.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
    found = browser.driver.execute_async_script(
        "const done = arguments[0]; axe.run(document).then(r => done(JSON.stringify({passes: r.passes.length, wrong: "
        "r.violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html.slice(0, 120))])})))"
    )
    checked = json.loads(found)
    assert checked["passes"] > 20
    return checked["wrong"]


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> tuple[Path, Axes]:
    axes = planted.axes_of(TRAIN_SETS)
    return results(tmp_path_factory.mktemp("grid"), axes), axes


@pytest.fixture(scope="module")
def report(grid, tmp_path_factory) -> Path:
    return written(*grid, tmp_path_factory.mktemp("page") / "index.html")


def test_the_page_is_drawn_without_a_complaint_or_a_request(browser: Browser, report: Path):
    browser.open(report)
    assert browser.wait("return document.querySelectorAll('#plot-transfer .heatmaplayer image').length") == 1
    assert browser.errors() == []
    assert browser.requests() == []
    assert [e.text for e in browser.driver.find_elements(By.CSS_SELECTOR, "#verdict .answer")] == ["Undecided"]
    sentence = browser.driver.find_element(By.CSS_SELECTOR, "#verdict li")
    assert sentence.text.endswith("(figure, row of transfer_matrix.csv)")
    sentence.find_elements(By.TAG_NAME, "a")[1].send_keys(Keys.ENTER)
    pointed = browser.driver.find_element(By.CSS_SELECTOR, "tr.pointed")
    assert pointed.is_displayed() and pointed.text.startswith("Mixed all 60")
    assert sentence.find_element(By.TAG_NAME, "a").get_attribute("href").endswith("#transfer")


def test_a_cell_of_the_heatmap_opens_its_questions(browser: Browser, report: Path):
    browser.open(report)
    # The table below the figure does what the figure does, for keyboards and screen readers.
    browser.run("document.querySelector('#transfer details').open = true")
    button = browser.driver.find_element(
        By.CSS_SELECTOR, "#transfer button[aria-label^='Neurology tested on Cardiology']"
    )
    button.send_keys(Keys.ENTER)
    shown = browser.driver.find_elements(By.CSS_SELECTOR, "#questions article")
    assert len(shown) == 10
    assert all("Cardiology" in article.find_element(By.TAG_NAME, "h3").text for article in shown)
    assert browser.run("return document.activeElement.id") == "questions-title"
    column = browser.driver.find_element(By.CSS_SELECTOR, "#questions article th:nth-child(3)").text
    assert column.startswith("Neurology, seed 1")


def test_a_click_on_the_heatmap_itself_opens_its_questions(browser: Browser, report: Path):
    browser.open(report)
    plot = browser.driver.find_element(By.CSS_SELECTOR, "#plot-transfer .nsewdrag")
    browser.run("arguments[0].scrollIntoView({block: 'center'})", plot)
    # Plotly takes a click for that on the cell over which it shows its hover text.
    ActionChains(browser.driver).move_to_element_with_offset(plot, 0, 0).perform()
    browser.wait("return document.querySelector('#plot-transfer .hoverlayer .hovertext')")
    ActionChains(browser.driver).click().perform()
    assert browser.wait("return document.activeElement.id === 'questions-title'")


def test_questions_are_searched_and_filtered(browser: Browser, report: Path):
    browser.open(report)
    search = browser.driver.find_element(By.CSS_SELECTOR, "#questions input[type=search]")
    search.send_keys("case 7.")
    shown = browser.driver.find_elements(By.CSS_SELECTOR, "#questions article")
    assert len(shown) == 1 and "Case 7." in shown[0].text
    assert shown[0].find_elements(By.CSS_SELECTOR, "mark.term") and shown[0].find_elements(
        By.CSS_SELECTOR, "mark.placebo"
    )
    search.send_keys(Keys.CONTROL, "a", Keys.NULL, Keys.DELETE)
    browser.run(
        "const s = document.querySelectorAll('#questions select')[2]; s.value = 'gained';"
        "s.dispatchEvent(new Event('change'))"
    )
    shown = browser.driver.find_elements(By.CSS_SELECTOR, "#questions article h3 .gained")
    assert shown and {e.text for e in shown} == {"gained"}


def test_what_is_shown_is_what_the_tables_say(browser: Browser, report: Path, grid):
    browser.open(report)
    matrix = pd.read_csv(grid[0] / "tables/transfer_matrix.csv").query("method == 'cloze'")
    browser.run("document.querySelector('#transfer details').open = true")
    for row in matrix[matrix["recipe"] != "base"].itertuples():
        test = "All questions" if row.test_specialty == "all" else row.test_specialty
        name = f"{row.train_set.capitalize()} tested on {test}"
        label = browser.driver.find_element(By.CSS_SELECTOR, f"#transfer button[aria-label^='{name}:']").text
        assert int(label.replace("\N{MINUS SIGN}", "-")) == pytest.approx(100 * row.change, abs=0.51)


def test_changes_against_a_control_have_paired_intervals(browser: Browser, report: Path, grid):
    browser.open(report)
    browser.run(
        "const s = [...document.querySelectorAll('#transfer select')].find(e => [...e.options].some(o => o.value === "
        "'mixed')); s.value = 'mixed'; s.dispatchEvent(new Event('change'))"
    )
    folder, axes = grid
    frames = {
        name: [
            tables.read(Adapter("small", "completion", name, s).path(folder / "predictions"), tables.PREDICTIONS)
            for s in axes.seed
        ]
        for name in ("neurology", "mixed")
    }
    right = {
        name: np.mean([f.query("method == 'cloze'")["correct"].to_numpy(float) for f in own], axis=0)
        for name, own in frames.items()
    }
    expected = paired.change((right["neurology"] - right["mixed"])[None], 0.95)
    shown = browser.run("return document.getElementById('plot-transfer').data[0].hovertext")
    hover = next(t for row in shown for t in row if t.startswith("Neurology → All questions"))
    numbers = [f"{100 * v:+.1f}".replace("-", "\N{MINUS SIGN}") for v in (expected.low[0], expected.high[0])]
    assert f"95% interval {numbers[0]} to {numbers[1]}" in hover


def test_a_failed_check_a_missing_interval_and_equal_answers_are_shown(browser: Browser, grid, tmp_path: Path):
    folder = tmp_path / "results"
    shutil.copytree(grid[0], folder)
    matrix = pd.read_csv(folder / "tables/transfer_matrix.csv")
    here = (matrix["train_set"] == "neurology") & (matrix["test_specialty"] == "Cardiology")
    matrix.loc[here, ["change_low", "change_high"]] = np.nan
    matrix.loc[here, "n_discordant"] = 0
    matrix.to_csv(folder / "tables/transfer_matrix.csv", index=False)
    row = {"model": "small", "recipe": "completion", "train_set": "neurology", "seed": 1, "flags": "loss did not fall"}
    pd.DataFrame([row]).to_csv(folder / "tables/training_checks.csv", index=False)
    browser.open(written(folder, grid[1], tmp_path / "index.html"))
    shown = browser.run("return document.getElementById('plot-transfer').data[0]")
    hover = next(t for line in shown["hovertext"] for t in line if t.startswith("Neurology → Cardiology"))
    assert "too few questions for an interval" in hover and "all answers equal" in hover
    assert "training failed a check: loss did not fall" in hover
    assert "⚠ Neurology" in shown["y"]


@pytest.mark.parametrize("name", ["tables/probes.csv", "plan/power.csv"])
def test_tables_that_only_some_runs_have_get_a_section(browser: Browser, grid, tmp_path: Path, name: str):
    folder = tmp_path / "results"
    shutil.copytree(grid[0], folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("specialty,effect\nCardiology,0.25\n")
    browser.open(written(folder, grid[1], tmp_path / "index.html"))
    assert "0.250" in browser.driver.find_element(By.ID, Path(name).stem).text
    assert browser.errors() == []


def test_recipes_of_several_doses_are_drawn_over_the_questions_seen(browser: Browser, grid, tmp_path: Path):
    folder = tmp_path / "results"
    shutil.copytree(grid[0], folder)
    key = {"model": "small", "recipe": EVIL, "method": "cloze", "series": "few", "measure": "common_gain", "broken": 0}
    rows = [
        {**key, "questions": n, "epochs": 3, "seen": 3 * n, "estimate": n / 1e4, "low": 0.0, "high": n / 5e3}
        for n in (100, 1000)
    ]
    pd.DataFrame(rows).to_csv(folder / "tables/dose.csv", index=False)
    browser.open(written(folder, grid[1], tmp_path / "index.html"))
    shown = browser.run("return document.getElementById('plot-dose').data[0]")
    assert shown["x"] == [300, 3000]
    assert shown["y"] == pytest.approx([1, 10])
    assert browser.run("return document.body.dataset.evil") is None
    assert browser.errors() == []


def test_a_figure_leads_to_the_definition_of_its_numbers(browser: Browser, report: Path):
    browser.open(report)
    link = browser.driver.find_element(By.CSS_SELECTOR, "#transfer .tools a")
    assert link.get_attribute("href").endswith("#method-transfer_matrix")
    link.send_keys(Keys.ENTER)
    heading = browser.driver.find_element(By.ID, "method-transfer_matrix")
    assert browser.wait("return document.querySelector('#definitions details').open")
    assert heading.is_displayed()


def test_themes_widths_and_print(browser: Browser, report: Path):
    browser.open(report)
    before = browser.run("return getComputedStyle(document.body).backgroundColor")
    browser.driver.find_element(By.ID, "theme").click()
    assert browser.run("return getComputedStyle(document.body).backgroundColor") != before
    for width in (390, 1440):
        browser.resize(width)
        browser.open(report)
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), width
    pdf = browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
    assert base64.b64decode(pdf).startswith(b"%PDF")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation(browser: Browser, report: Path, theme: str):
    browser.open(report)
    if browser.run("return document.documentElement.dataset.theme") != theme:
        browser.driver.find_element(By.ID, "theme").click()
    assert axe_violations(browser) == []


def test_every_control_is_reached_by_the_keyboard(browser: Browser, report: Path):
    browser.open(report)
    body = browser.driver.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    assert browser.run("return document.activeElement.textContent") == "Skip to the results"
    reached = set()
    for _ in range(60):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(browser.run("return document.activeElement.tagName"))
    assert {"A", "BUTTON", "SELECT", "SUMMARY", "INPUT"} <= reached


def test_no_text_of_the_data_is_read_as_markup(browser: Browser, tmp_path: Path):
    axes = Axes(
        model=["small"],
        recipe=["completion"],
        train_set=["cardiology", "img-src-x-onerror-document-body-dataset-evil", "mixed"],
        seed=[1],
        specialty=["Cardiology", "<img src=x onerror=document.body.dataset.evil>"],
    )
    path = written(results(tmp_path / "results", axes, stem=EVIL), axes, tmp_path / "index.html")
    browser.open(path)
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    browser.wait("return document.querySelectorAll('#plot-transfer .heatmaplayer image').length")
    assert browser.run("return document.body.dataset.evil ?? null") is None
    assert browser.run("return document.querySelectorAll('main img').length") == 0
    assert EVIL[:40] in browser.driver.find_element(By.ID, "questions").text
    assert browser.requests() == []


def test_no_script_but_the_pages_own_can_run(browser: Browser, report: Path, tmp_path: Path):
    text = report.read_text(encoding="utf-8").replace(
        "</main>", f"{EVIL}<script>document.body.dataset.evil=3</script></main>"
    )
    (tmp_path / "index.html").write_text(text, encoding="utf-8")
    browser.open(tmp_path / "index.html")
    assert browser.run("return document.body.dataset.evil ?? null") is None


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("tables", "the grid's tables are not made yet"),
        ("predictions/small/completion/neurology", "2 of the grid's predictions are not made yet"),
        ("adapters/small/completion/mixed", "the adapter small/completion/mixed/1 is not trained yet"),
        ("test_split", "questions.parquet"),
        ("term_logprobs", "base.parquet"),
        (".", "the grid's tables are not made yet"),
    ],
)
def test_a_grid_that_is_not_complete_makes_a_page_that_says_so(
    browser: Browser, grid, tmp_path: Path, gone: str, said: str
):
    folder = tmp_path / "results"
    shutil.copytree(grid[0], folder)
    shutil.rmtree(folder / gone)
    browser.open(written(folder, grid[1], tmp_path / "index.html"))
    assert said in browser.driver.find_element(By.ID, "missing").text
    assert browser.errors() == []


def test_a_damaged_table_is_named(browser: Browser, grid, tmp_path: Path):
    folder = tmp_path / "results"
    shutil.copytree(grid[0], folder)
    path = folder / "predictions/small/completion/neurology/seed-1.parquet"
    path.write_bytes(path.read_bytes()[:100])
    (folder / "tables/verdict.json").write_text("{")
    browser.open(written(folder, grid[1], tmp_path / "index.html"))
    said = browser.driver.find_element(By.ID, "missing").text
    assert "seed-1.parquet: truncated or invalid" in said and "verdict.json: unreadable" in said


def test_one_seed_one_model_one_method_is_a_page_too(browser: Browser, tmp_path: Path):
    axes = planted.axes_of(("cardiology",), seeds=(1,))
    browser.open(written(results(tmp_path / "results", axes), axes, tmp_path / "index.html"))
    assert browser.errors() == []


@pytest.mark.parametrize(
    ("budget", "said", "gained"),
    [(2000, "the options that they chose", True), (100, "answers to single questions", False)],
)
def test_beyond_its_budget_the_page_falls_back_and_says_so(
    browser: Browser, grid, tmp_path: Path, budget: int, said: str, gained: bool
):
    browser.open(written(*grid, tmp_path / "index.html", budget=budget))
    left_out = browser.driver.find_element(By.ID, "left-out").text
    assert said in left_out and "shifts of single words" in left_out
    browser.run(
        "const s = document.querySelectorAll('#questions select')[2]; s.value = 'gained';"
        "s.dispatchEvent(new Event('change'))"
    )
    assert bool(browser.driver.find_elements(By.CSS_SELECTOR, "#questions article h3 .gained")) == gained
    assert browser.errors() == []


def test_equal_results_give_equal_bytes(grid, tmp_path: Path):
    first, second = (written(*grid, tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second
