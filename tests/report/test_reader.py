"""What a reviewer asks the page, in at most three clicks; and that every column of its tables is defined."""

from pathlib import Path

from browser import Browser
import finished_run
import pandas as pd
import planted
import pytest
from selenium.webdriver.common.by import By

from neuro2cardio.core.adapters import Axes
from neuro2cardio.report import collect, page

TRAIN_SETS = ("cardiology", "neurology", "dermatology", "gastroenterology", "shuffled-answers", "general")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[Path, Axes]:
    axes = planted.axes_of(TRAIN_SETS)
    asked = planted.questions(axes, each=20)
    asked["stem"] = [f"Case {i}. " + "word " * 30 for i in range(len(asked))]
    mentions = planted.mentions(axes, asked, each=2, candidates=1)
    return finished_run.write(tmp_path_factory.mktemp("run"), axes, asked, mentions, broken="dermatology"), axes


@pytest.fixture(scope="module")
def collected(run) -> collect.Collected:
    return collect.collect(*run, {"experiment": "x", "terms": {"contexts": ["prompt"]}})


@pytest.fixture(scope="module")
def report(collected, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(page.render(collected, "The tiny study"), encoding="utf-8")
    return path


def choose(browser: Browser, section: str, value: str) -> None:
    browser.run(
        "const s = [...document.querySelectorAll(arguments[0] + ' select')].find(e => [...e.options].some(o => o.value "
        "=== arguments[1])); s.value = arguments[1]; s.dispatchEvent(new Event('change'))",
        section,
        value,
    )


def go(browser: Browser, section: str) -> str:
    """Click a section's name in the contents; returns what the section says."""
    browser.driver.find_element(By.CSS_SELECTOR, f"nav a[href='#{section}']").click()
    return browser.driver.find_element(By.ID, section).text


def test_five_questions_of_a_reviewer(browser: Browser, report: Path):
    browser.open(report)
    said = go(browser, "claim-1")
    assert "Each specialty's own adapter against the others" in said and "undecided" in said
    go(browser, "transfer")
    choose(browser, "#transfer", "shuffled-answers")
    hover = browser.run("return document.getElementById('plot-transfer').data[0].hovertext.flat()")
    assert any("Cardiology → All questions" in text and "95% interval" in text for text in hover)
    go(browser, "questions")
    choose(browser, "#questions", "gained")
    shown = browser.driver.find_elements(By.CSS_SELECTOR, "#questions article h3 .gained")
    assert shown and {e.text for e in shown} == {"gained"}
    assert "own adapter ahead of every other (claim 1)" in go(browser, "power")
    assert "no_gradient" in go(browser, "training")
    assert "Dermatology, seed 1 (training ended without a gradient)" in go(browser, "verdict")
    assert browser.errors() == []


def test_the_choice_of_a_method_reaches_the_tables_and_the_verdict(browser: Browser, report: Path):
    browser.open(report)
    browser.driver.find_elements(By.CSS_SELECTOR, "#verdict tbody th button")[1].click()
    opened = [d.text.split("\n")[0] for d in browser.driver.find_elements(By.CSS_SELECTOR, "#verdict > details[open]")]
    assert opened == ["small · completion · letter", "small · completion"]
    assert "small, completion, letter" in browser.driver.find_element(By.ID, "controls").text


def test_changes_against_other_references_are_differences_of_accuracies(run, collected):
    shown = pd.DataFrame(collected.data["against"]["rows"], columns=collected.data["against"]["columns"])
    assert set(shown["against"]) == {"few-shot", "shuffled-answers", "general"}
    matrix = pd.read_csv(run[0] / "tables/transfer_matrix.csv")
    bases = matrix[matrix["recipe"] == "base"].assign(recipe=matrix["recipe"][matrix["recipe"] != "base"].iloc[0])
    key = ["model", "recipe", "method", "train_set", "test_specialty"]
    accuracy = pd.concat([matrix, bases]).groupby(key)["accuracy"].first()
    own = accuracy[pd.MultiIndex.from_frame(shown[key])].to_numpy()
    other = accuracy[pd.MultiIndex.from_frame(shown[[*key[:3], "against", key[4]]])].to_numpy()
    assert shown["change"].to_numpy(dtype=float) == pytest.approx(own - other, abs=1e-5)


def test_every_column_of_a_table_is_defined(browser: Browser, report: Path, collected):
    shown = collected.data["tables"] | collected.data["question_tables"]
    undefined = {n: set(t["columns"]) - set(collected.data["columns"][n]) for n, t in shown.items()}
    assert {name: columns for name, columns in undefined.items() if columns} == {}
    browser.open(report)
    heads = browser.run(
        "return [...document.querySelectorAll('.figure table thead th')].map(h => [h.textContent, h.title])"
    )
    assert len(heads) > 60
    assert [text for text, title in heads if not title] == []
