"""Every figure is there as PNG, SVG and numbers; and no text of the data becomes a formula of a spreadsheet."""

import csv
from pathlib import Path
import time
from xml.etree import ElementTree

from browser import Browser
import finished_run
import pandas as pd
import planted
import pytest
from selenium.webdriver.common.by import By

from neuro2cardio.report import collect, page

PLOTTED = {
    "transfer": (["change"], "z", 100),
    "decomposition": (["train_set_effect", "test_specialty_effect", "own_beyond_both"], "x", 100),
    "controls": (["estimate"], "x", 100),
    "own": (["own_minus_best"], "x", 100),
    "terms": (["shift"], "x", 1),
    "dose": (["estimate"], "y", 100),
    "calibration": (["accuracy"], "y", 1),
    "training": (["loss"], "y", 1),
}
"""Of each figure: the columns of its CSV that are drawn, along which axis, and times what."""
FORMULAS = ["=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1+1", "\uff1d1+1"]


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    axes = planted.axes_of(("cardiology", "neurology", "general"))
    asked = planted.questions(axes, each=10)
    mentions = planted.mentions(axes, asked, each=2, candidates=1)
    folder = finished_run.write(tmp_path_factory.mktemp("run"), axes, asked, mentions)
    key = {"model": "small", "recipe": "completion", "method": "cloze", "series": "few", "measure": "common_gain"}
    doses = [{**key, "questions": n, "epochs": 3, "seen": 3 * n, "estimate": n / 1e4, "broken": 0} for n in (100, 1000)]
    pd.DataFrame(doses).to_csv(folder / "tables/dose.csv", index=False)
    facts = {"model": "small", "fact": FORMULAS, "stem": "-0.5", "own": -0.25}
    pd.DataFrame(facts).to_csv(folder / "tables/probe_facts.csv", index=False)
    path = tmp_path_factory.mktemp("page") / "index.html"
    collected = collect.collect(folder, axes, {"experiment": "x", "terms": {"contexts": ["prompt"]}})
    path.write_text(page.render(collected, "The tiny study"), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Browser, report: Path, tmp_path: Path) -> Browser:
    allowed = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", allowed)
    browser.open(report)
    return browser


def arrived(path: Path, seconds: float = 120) -> Path:
    end = time.monotonic() + seconds
    while not path.is_file():
        assert time.monotonic() < end, f"no {path.name}; there are {[p.name for p in path.parent.iterdir()]}"
        time.sleep(0.05)
    return path


def test_each_figure_is_downloaded_as_png_svg_and_its_numbers(opened: Browser, report: Path, tmp_path: Path):
    figures = opened.run("return [...document.querySelectorAll('.plot')].map(p => p.id.slice('plot-'.length))")
    assert set(figures) == set(PLOTTED)
    button = "//*[@id='plot-{}']/following-sibling::*//button[text()='{}']"
    plotted = (
        "return document.getElementById(arguments[0]).data.filter(t => t.name !== 'perfect')"
        ".flatMap(t => [...t[arguments[1]]].flat())"
    )
    for name, (columns, axis, times) in PLOTTED.items():
        # Of more than ten downloads from an open page, the browser now and then drops one.
        opened.open(report)
        for kind in ("PNG", "SVG", "CSV"):
            opened.driver.find_element(By.XPATH, button.format(name, kind)).click()
            arrived(tmp_path / f"{name}.{kind.lower()}")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert ElementTree.parse(tmp_path / f"{name}.svg").getroot().tag.endswith("svg")
        numbers = pd.read_csv(tmp_path / f"{name}.csv")[columns].to_numpy(dtype=float).ravel() * times
        drawn = opened.run(plotted, f"plot-{name}", axis)
        assert sorted(numbers) == pytest.approx(sorted(drawn)), name
        assert opened.errors() == []
        assert opened.requests() == []


def test_no_text_of_the_data_becomes_a_formula_and_numbers_stay_numbers(opened: Browser, tmp_path: Path):
    opened.run("document.querySelector('[data-table=probe_facts] .tools button').click()")
    with arrived(tmp_path / "probe_facts.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["fact"] for row in rows] == ["'" + text for text in FORMULAS]
    assert {(row["stem"], row["own"]) for row in rows} == {("-0.5", "-0.25")}
