"""Text of the data is shown as it is, wherever it comes from: nothing in it runs or is read as markup."""

import json
from pathlib import Path
from typing import Any

from browser import Browser
import finished_run
import pandas as pd
import planted
import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

from neuro2cardio.core import specialties
from neuro2cardio.report import collect, page

EVIL = (
    '<img src=x onerror="document.body.dataset.evil=1"><b>b</b><a href="https://evil.example/">a</a>'
    "</script><script>document.body.dataset.evil=2</script>{{7*7}}${7*7}%{x}'\"`&lt;\u2028--><!--"
)
NAMES = {name: name + EVIL for name in ("small", "completion", "general", "no_gradient", "Cardiology", "Neurology")}
NAMES |= {name.lower(): specialties.slug(NAMES[name]) for name in ("Cardiology", "Neurology")}

SHOWN = [
    ("h1", "The study"),
    ("title", "The study"),
    ("#missing", "missing"),
    ("#left-out", "left out"),
    ("#verdict h3", "small"),
    ("#verdict h3", "completion"),
    ("#verdict li", ""),
    ("#questions h3", "Cardiology"),
    ("#questions .stem", ""),
    ("#questions tbody", "option a"),
    ("#questions thead", ""),
    ("[data-table='effects'] tbody", ""),
    ("[data-table='training_checks'] tbody", "no_gradient"),
    ("[data-table='probe_facts'] tbody", "a term"),
    ("[data-table='probe_facts'] tbody", "an answer"),
    ("[data-table='trail'] tbody", "an expert"),
    ("[data-table='trail'] dl.keys", ""),
]
"""Places of the page, and what stands before the markup there."""


def hostile(value: Any) -> Any:
    """The same data, in which every name and every text of several words holds markup."""
    if isinstance(value, dict):
        return {NAMES.get(key, key): hostile(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [hostile(held) for held in value]
    if isinstance(value, str):
        return NAMES.get(value, value + EVIL if " " in value else value)
    return value


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> collect.Collected:
    axes = planted.axes_of(("cardiology", "neurology", "general"))
    asked = planted.questions(axes, each=8)
    asked["stem"] = [f"Case {i}. " + "word " * 30 for i in range(len(asked))]
    asked["options"] = [[f"option {letter}" for letter in "abcd"]] * len(asked)
    mentions = planted.mentions(axes, asked, each=2, candidates=1)
    folder = finished_run.write(tmp_path_factory.mktemp("run"), axes, asked, mentions, broken="neurology")
    (folder / "annotation").mkdir()
    trail = {"question_id": ["a comment"], "experts": ["an expert"], "also": ["a remark"]}
    pd.DataFrame(trail).to_csv(folder / "annotation/trail.csv", index=False)
    fact = {"model": ["small"], "fact": ["a term"], "stem": ["a probe"], "answer": ["an answer"]}
    pd.DataFrame(fact).to_csv(folder / "tables/probe_facts.csv", index=False)
    (folder / "questions/source.json").write_text(json.dumps({"licence": "a licence", "attribution": "by someone"}))
    found = collect.collect(folder, axes, {"experiment": "the study", "terms": {"contexts": ["prompt"]}})
    found.data = hostile(found.data)
    found.missing.append("missing" + EVIL)
    found.left_out.append("left out" + EVIL)
    return found


@pytest.fixture
def opened(browser: Browser, collected: collect.Collected, tmp_path: Path) -> Browser:
    path = tmp_path / "index.html"
    path.write_text(page.render(collected, "The study" + EVIL), encoding="utf-8")
    browser.open(path)
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    return browser


def text_of(browser: Browser, selector: str) -> str:
    return str(browser.run("return document.querySelector(arguments[0]).textContent", selector))


def test_no_text_runs_is_read_as_markup_or_asks_a_network(opened: Browser):
    for name in ("transfer", "controls", "own", "terms"):
        plot = opened.driver.find_element(By.CSS_SELECTOR, f"#plot-{name} .nsewdrag")
        opened.run("arguments[0].scrollIntoView({block: 'center'})", plot)
        ActionChains(opened.driver).move_to_element(plot).perform()
        point = f"[{{curveNumber: {int(name == 'controls')}, pointNumber: 0}}]"
        hover = "" if name == "transfer" else f"Plotly.Fx.hover('plot-{name}', {point});"
        text = f"{hover} return document.querySelector('#plot-{name} .hoverlayer').textContent"
        assert "<img src=x onerror=" in str(opened.wait(text)), name
    assert opened.run("return document.body.dataset.evil ?? null") is None
    read = "main :is(img, iframe, b, object, base, form), svg a, main a[href*=evil], [onerror], tspan[style*=weight]"
    assert opened.run("return [...document.querySelectorAll(arguments[0])].map(e => e.outerHTML)", read) == []
    assert opened.run("return document.querySelectorAll('script').length") == 3
    assert opened.errors() == []
    assert opened.requests() == []


def test_what_is_shown_is_the_text_itself(opened: Browser):
    lacks = [(place, before) for place, before in SHOWN if before + EVIL not in text_of(opened, place)]
    assert lacks == []
    assert json.dumps("a licence" + EVIL, ensure_ascii=False) in text_of(opened, "#provenance")
    assert "General<img src=x onerror=" in text_of(opened, "#plot-transfer .yaxislayer-above")
    assert "Cardiology<img src=x onerror=" in text_of(opened, "#plot-own .yaxislayer-above")
