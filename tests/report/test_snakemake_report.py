"""Snakemake's own report of a finished grid: its figures and tables with captions, and the study's own page."""

import json
from pathlib import Path
import zipfile

from browser import Browser
import pytest
from selenium import webdriver
from selenium.common.exceptions import ElementNotInteractableException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from tiny_grid import Checkout


@pytest.fixture(scope="module")
def report(finished_grid: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the unpacked report."""
    folder = tmp_path_factory.mktemp("report")
    # In a copy: other tests read what the finished grid's own run said.
    finished_grid.copy(folder / "grid").snakemake("--report", str(folder / "report.zip"))
    with zipfile.ZipFile(folder / "report.zip") as packed:
        packed.extractall(folder)
    return folder / "report"


def click(browser: Browser, xpath: str) -> None:
    """Click the one that is shown; the report draws itself anew after each click."""

    def clicked(driver: webdriver.Chrome) -> bool:
        found = [e for e in driver.find_elements(By.XPATH, xpath) if e.is_displayed()]
        if found:
            found[0].click()
        return bool(found)

    gone = (StaleElementReferenceException, ElementNotInteractableException)
    WebDriverWait(browser.driver, 180, ignored_exceptions=gone).until(clicked, f"no {xpath}")


def describe(browser: Browser, report: Path, category: str, row: str) -> None:
    """Open what the report says of one result."""
    browser.driver.get((report / "report.html").as_uri())
    browser.wait("return document.body.innerText.includes('RESULTS')")
    click(browser, f"//*[normalize-space(text())='{category}']")
    click(browser, f"//tr[td[normalize-space(text())='{row}']]//a[@iconname='information-circle']")


@pytest.mark.parametrize(
    ("category", "row", "caption"),
    [
        ("Figures", "transfer", "a row for each train set, a column for each test specialty"),
        ("Figures", "transfer against mixed", "The top row is the reference's own accuracy"),
        ("Figures", "term shift", "placebo words, which are not clinical terms"),
        ("Figures", "training", "How the loss went during training"),
        ("Tables", "effects", "What the change against base is made of"),
        ("Tables", "lexicon", "how often a question's terms agree with its label"),
        ("Page", "the whole report", "The page that the run ends in"),
    ],
)
def test_results_are_shown_with_their_captions(browser: Browser, report: Path, category: str, row: str, caption: str):
    describe(browser, report, category, row)
    assert browser.wait(f"return document.body.innerText.includes({json.dumps(caption)})")


def test_the_report_opens_with_what_the_study_is_and_holds_its_page(browser: Browser, report: Path):
    browser.driver.get((report / "report.html").as_uri())
    browser.wait("return document.body.innerText.includes('What fine-tuning a language model on one clinical')")
    names = sorted(path.name for path in (report / "data").rglob("*") if path.is_file())
    assert {"index.html", "summary.txt", "transfer-cloze.png", "transfer_matrix.csv"} <= set(names)
    browser.open(next((report / "data").rglob("index.html")))
    assert browser.driver.find_elements(By.CSS_SELECTOR, "#verdict")
