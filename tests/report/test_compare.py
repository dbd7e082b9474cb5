"""What differs between runs, and how sure that is: the table, and its page in a browser."""

import json
from pathlib import Path
import shutil
import subprocess
import sys

from browser import Browser
import numpy as np
import pandas as pd
import planted
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_page import EVIL, TRAIN_SETS, axe_violations, results

from neuro2cardio.analysis import paired
from neuro2cardio.core import files, tables
from neuro2cardio.core.errors import InputError
from neuro2cardio.report import comparison, page

CHECKOUT = Path(__file__).parents[2]


def run(folder: Path, name: str, gain: float = 0.1, seed: int = 0, stem: str = "A patient with angina.", **changes):
    """A finished run named `name`; its adapters gain so much on every specialty."""
    axes = planted.axes_of(TRAIN_SETS)
    results(folder, axes, stem=stem)
    asked = tables.read(folder / "test_split/questions.parquet", tables.QUESTIONS)
    planted.predictions(folder / "predictions", axes, asked, lambda *_: gain, methods=("cloze", "letter"), seed=seed)
    config = {"experiment": name, "inference": {"methods": ["cloze", "letter"]}, "terms": {"contexts": ["prompt"]}}
    settings = {"axes": axes.model_dump(), "config": config | changes}
    files.write_json(folder / "settings/report-0.json", settings)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    other = run(folder / "b", "second", 0.55, seed=1, prompt={"answer_cue": EVIL})
    return run(folder / "a", "first", prompt={"answer_cue": "Answer:"}), other


@pytest.fixture(scope="module")
def compared(runs):
    return comparison.collect(runs)


def written(collected, to: Path) -> Path:
    to.write_text(page.render(collected, "first and second", "compare.js"), encoding="utf-8")
    return to


def test_differences_are_paired_by_question(runs, compared):
    asked = tables.read(runs[0] / "test_split/questions.parquet", tables.QUESTIONS)
    own = compared[1].query("measure == 'accuracy' and method == 'cloze'")
    row = own.query("train_set == 'neurology' and test_specialty == 'Cardiology'").iloc[0]
    right = []
    for folder in runs:
        seeds = [folder / f"predictions/small/completion/neurology/seed-{seed}.parquet" for seed in (1, 2)]
        frames = [tables.read(path, tables.PREDICTIONS).query("method == 'cloze'") for path in seeds]
        right.append(np.mean([frame.set_index("question_id")["correct"] for frame in frames], axis=0))
    member = asked["specialties"].map(lambda held: "Cardiology" in held).to_numpy()
    values = (right[1] - right[0])[member]
    expected = paired.change(values[None], 0.95)
    assert row["difference"] == pytest.approx(values.mean())
    assert row["n_questions"] == member.sum()
    assert [row["low"], row["high"]] == pytest.approx([expected.low[0], expected.high[0]])


def test_planted_differences_are_found_and_equal_runs_have_none(runs, compared):
    overall = compared[1].query("test_specialty == 'all' and measure == 'accuracy' and method == 'cloze'")
    adapters = overall[overall["train_set"] != "base"]
    assert (adapters["low"] > 0).all() and (adapters["q"] < 0.05).all()
    same = comparison.collect([runs[0], runs[0]])[1]
    assert (same["difference"] == 0).all() and same[["low", "high", "p"]].isna().all(axis=None)
    assert set(same["run"]) == {"first (2)"}


def test_a_change_against_base_leaves_the_base_models_own_difference_out(compared):
    table = compared[1].query("method == 'letter' and test_specialty == 'all'").set_index(["measure", "train_set"])
    base = table.loc[("accuracy", "base"), "difference"]
    for name in TRAIN_SETS:
        expected = table.loc[("accuracy", name), "difference"] - base
        assert table.loc[("change", name), "difference"] == pytest.approx(expected)


def test_runs_that_share_a_part_of_their_questions_are_compared_on_it(runs, tmp_path):
    folder = tmp_path / "b"
    shutil.copytree(runs[1], folder)
    path = folder / "test_split/questions.parquet"
    asked = tables.read(path, tables.QUESTIONS)
    gone, reworded = asked["question_id"].iloc[:5], asked["question_id"].iloc[5]
    asked.loc[5, "stem"] = "Something else altogether?"
    renamed = {q: f"other-{q}" for q in gone}
    tables.write(asked.replace({"question_id": renamed}), path, tables.QUESTIONS)
    for file in folder.glob("predictions/**/*.parquet"):
        frame = tables.read(file, tables.PREDICTIONS)
        tables.write(frame.assign(question_id=frame["question_id"].replace(renamed)), file, tables.PREDICTIONS)
    collected, table = comparison.collect([runs[0], folder])
    n = len(asked) - 6
    assert any(f"the {n} that both have" in line for line in collected.left_out)
    assert any("1 questions have the same id" in line for line in collected.left_out)
    assert set(table.loc[table["test_specialty"] == "all", "n_questions"]) == {n}
    assert reworded not in {q["id"] for q in collected.data["questions"]}


def test_runs_without_a_question_in_common_say_so(browser: Browser, runs, tmp_path):
    other = run(tmp_path / "b", "second", stem="A patient with a rash.")
    collected, table = comparison.collect([runs[0], other])
    assert table.empty
    browser.open(written(collected, tmp_path / "index.html"))
    assert "none in common: there is nothing to compare" in browser.driver.find_element(By.ID, "missing").text
    assert browser.errors() == []


def test_a_recipe_under_another_name_is_compared_where_each_run_has_one(runs, tmp_path):
    other = shutil.copytree(runs[1], tmp_path / "b")
    (other / "predictions/small/completion").rename(other / "predictions/small/full")
    settings = json.loads((other / "settings/report-0.json").read_text())
    settings["axes"]["recipe"] = ["full"]
    files.write_json(other / "settings/report-0.json", settings)
    for file in other.glob("predictions/small/full/**/*.parquet"):
        tables.write(tables.read(file, tables.PREDICTIONS).assign(recipe="full"), file, tables.PREDICTIONS)
    assert set(comparison.collect([runs[0], other])[1]["recipe"]) == {"completion / full"}


def test_an_adapter_that_is_missing_is_named_and_the_others_are_compared(runs, tmp_path):
    other = shutil.copytree(runs[1], tmp_path / "b")
    (other / "predictions/small/completion/mixed/seed-2.parquet").unlink()
    collected, table = comparison.collect([runs[0], other])
    assert "second: small/completion/mixed is not scored yet" in collected.missing
    assert set(table["train_set"]) == {"base", *TRAIN_SETS} - {"mixed"}


@pytest.mark.parametrize("settings", [None, "{", '{"axes": {}}'])
def test_what_is_not_a_run_is_refused_in_a_sentence(runs, tmp_path, settings):
    if settings is not None:
        files.write_text(tmp_path / "settings/report-0.json", settings)
    with pytest.raises(InputError, match=r"not the (results folder of a run|settings of a report page)"):
        comparison.collect([runs[0], tmp_path])


def test_one_run_is_not_compared(runs):
    with pytest.raises(InputError, match="two results folders or more"):
        comparison.collect(runs[:1])


def test_the_page_shows_differences_and_opens_their_questions(browser: Browser, compared, tmp_path):
    collected, table = compared
    browser.open(written(collected, tmp_path / "index.html"))
    assert browser.wait("return document.querySelectorAll('#plot-differences .heatmaplayer image').length") == 1
    assert browser.errors() == [] and browser.requests() == []
    settings = browser.driver.find_element(By.ID, "runs").text
    assert "prompt.answer_cue" in settings and "Answer:" in settings
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    button = browser.driver.find_element(
        By.CSS_SELECTOR, "#differences button[aria-label^='Neurology tested on Cardiology']"
    )
    row = table.query("measure == 'accuracy' and train_set == 'neurology' and test_specialty == 'Cardiology'").iloc[0]
    shown = int(button.text.rstrip("*").replace("\N{MINUS SIGN}", "-"))
    assert shown == pytest.approx(100 * row["difference"], abs=0.51)
    button.send_keys(Keys.ENTER)
    assert browser.run("return document.activeElement.id") == "questions-title"
    assert f"differ in {row['n_discordant']} questions" in browser.driver.find_element(By.ID, "questions").text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_has_no_violation_and_reads_no_text_as_markup(browser: Browser, compared, tmp_path, theme):
    browser.open(written(compared[0], tmp_path / "index.html"))
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    if browser.run("return document.documentElement.dataset.theme") != theme:
        browser.driver.find_element(By.ID, "theme").click()
    assert axe_violations(browser) == []
    assert browser.run("return document.body.dataset.evil ?? null") is None
    assert EVIL[:40] in browser.driver.find_element(By.ID, "runs").text
    browser.resize(390)
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")


def test_the_command_writes_a_page_and_a_table(runs, tmp_path):
    command = [sys.executable, CHECKOUT / "workflow/scripts/compare.py", *runs, "--out", tmp_path / "out"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "index.html" in said
    assert len(pd.read_csv(tmp_path / "out/differences.csv")) == len(comparison.collect(runs)[1])


def test_snakemake_compares_runs_and_fails_where_the_command_fails(runs, tmp_path):
    def snakemake(*folders: Path) -> subprocess.CompletedProcess:
        named = f"runs={','.join(map(str, folders))}"
        command = [sys.executable, "-m", "snakemake", "--snakefile", CHECKOUT / "Snakefile", "--directory", tmp_path]
        arguments = ["compare", "--cores", "1", "--config", named]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)

    assert snakemake(*runs).returncode == 0
    assert (tmp_path / "results/comparisons/a-b/index.html").is_file()
    failed = snakemake(runs[0], tmp_path)
    assert failed.returncode == 1
    assert "not the results folder of a run" in failed.stderr + failed.stdout
    assert "two results folders or more" in snakemake(runs[0]).stderr
