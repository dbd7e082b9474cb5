"""Small, broken, damaged and half-finished grids: each makes a page that names what is missing."""

from collections.abc import Callable
from pathlib import Path
import shutil

from browser import Browser
import finished_run
import planted
import pytest

from neuro2cardio.core import tables
from neuro2cardio.core.adapters import Axes
from neuro2cardio.report import collect, page

SETTINGS = {"experiment": "x", "terms": {"contexts": ["prompt"]}}
TRAIN_SETS = ("cardiology", "neurology", "general")


def run(folder: Path, train_sets=TRAIN_SETS, models=("small",), seeds=(1, 2), **more) -> tuple[Path, Axes]:
    axes = planted.axes_of(train_sets, models=models, seeds=seeds)
    asked = planted.questions(axes, each=8)
    asked["stem"] = [f"Case {i}. " + "word " * 30 for i in range(len(asked))]
    return finished_run.write(folder, axes, asked, planted.mentions(axes, asked, each=2, candidates=1), **more), axes


def shown(browser: Browser, folder: Path, axes: Axes, path: Path) -> tuple[str, list[str]]:
    """What the page says is missing, and its sections. Fails for a page that complains."""
    path.write_text(page.render(collect.collect(folder, axes, SETTINGS), "The tiny study"), encoding="utf-8")
    browser.open(path)
    assert browser.errors() == []
    missing = browser.run("return document.getElementById('missing')?.textContent ?? ''")
    sections = browser.run("return [...document.querySelectorAll('#sections > section')].map(s => s.id)")
    return missing, sections


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, Axes]:
    return run(tmp_path_factory.mktemp("whole"), broken="neurology")


ALWAYS = {"verdict", "transfer", "controls", "questions", "terms", "training", "provenance"}


@pytest.mark.parametrize(
    ("grid", "sections"),
    [
        ({"seeds": (1,)}, {"claim-1", "calibration"}),
        ({"train_sets": ("cardiology", "neurology"), "seeds": (1,)}, {"claim-1"}),
        ({"train_sets": ("cardiology",), "seeds": (1,)}, set()),
        ({"methods": ("letter",), "seeds": (1,)}, {"format"}),
        ({"methods": ("generate",), "seeds": (1,)}, {"format"}),
    ],
    ids=["one seed", "no controls", "one specialty alone", "letters only", "generate only"],
)
def test_a_small_grid_is_whole(browser: Browser, tmp_path: Path, grid: dict, sections: set[str]):
    missing, there = shown(browser, *run(tmp_path / "run", **grid), tmp_path / "index.html")
    assert missing == ""
    assert set(there) >= ALWAYS | sections
    assert "probes" not in there


def delete(*names: str) -> Callable[[Path], None]:
    def gone(folder: Path) -> None:
        for path in (found for name in names for found in folder.glob(name)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return gone


def damage(pattern: str, how: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damaged(folder: Path) -> None:
        for path in folder.glob(pattern):
            path.write_bytes(how(path.read_bytes()))

    return damaged


def without_neurology(folder: Path) -> None:
    path = folder / "test_split/questions.parquet"
    asked = tables.read(path, tables.QUESTIONS)
    kept = asked[["Neurology" not in held for held in asked["specialties"]]]
    tables.write(kept.reset_index(drop=True), path, tables.QUESTIONS)
    delete("tables", "predictions/*")(folder)


CHANGED = "transfer_matrix.csv: edited or cut since it was written"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (delete("predictions/*/*/general/seed-2.parquet"), "1 of the grid's predictions are not made yet"),
        (delete("adapters/*/*/general/seed-2"), "the adapter small/completion/general/2 is not trained yet"),
        (delete("terms", "term_logprobs/*", "test_split/mentions.parquet", "tables/term*"), "mentions.parquet"),
        (without_neurology, "no test question is of Neurology"),
        (damage("tables/*.csv", lambda held: held.split(b"\n")[0] + b"\n"), CHANGED),
        (damage("tables/*.csv", lambda held: held[: len(held) // 2]), CHANGED),
        (damage("tables/*.csv", lambda _: b""), CHANGED),
        (damage("tables/*.csv", lambda _: b"a,b\n1,2\n"), CHANGED),
        (damage("tables/*.csv", lambda held: held.replace(b"0.", b"x.")), "hold no number"),
        (damage("tables/*.csv", lambda _: b"\x00\xff\x81PK" * 40), "transfer_matrix.csv: unreadable"),
        (damage("plan/*.csv", lambda _: b"\x00\xff\x81PK" * 40), "power.csv: unreadable"),
        (damage("adapters/**/training.csv", lambda _: b""), "training.csv of the adapter small/completion/general/1"),
        (damage("adapters/**/training.csv", lambda _: b"step,loss\n1,x\n"), "unreadable"),
        (damage("tables/verdict.json", lambda _: b'{"combinations": [{}]}'), ""),
    ],
    ids=[
        *("predictions", "adapter", "no-terms", "empty-specialty", "header", "half", "empty", "other-columns", "text"),
        *("binary", "plan", "no-curve", "broken-curve", "verdict"),
    ],
)
def test_what_is_missing_or_damaged_is_named(browser: Browser, whole, tmp_path: Path, spoil, said: str):
    folder = tmp_path / "run"
    shutil.copytree(whole[0], folder)
    spoil(folder)
    missing, there = shown(browser, folder, whole[1], tmp_path / "index.html")
    assert said in missing
    assert {"verdict", "transfer", "questions", "provenance"} <= set(there)


def test_a_model_without_any_prediction_is_chosen_without_a_complaint(browser: Browser, tmp_path: Path):
    folder, axes = run(tmp_path / "run", models=("small", "large"), seeds=(1,))
    delete("predictions/large", "adapters/large")(folder)
    missing, _ = shown(browser, folder, axes, tmp_path / "index.html")
    assert "4 of the grid's predictions are not made yet" in missing
    choose = (
        "const s = document.querySelector('.choice select'); s.value = 'large'; s.dispatchEvent(new Event('change'))"
    )
    browser.run(choose)
    assert browser.errors() == []


def test_a_broken_adapter_is_named_in_the_verdict(browser: Browser, whole, tmp_path: Path):
    shown(browser, *whole, tmp_path / "index.html")
    assert "training ended without a gradient" in str(
        browser.run("return document.getElementById('verdict').textContent")
    )
