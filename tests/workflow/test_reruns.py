"""What each kind of change runs again. The table is docs/reruns.md; a dry run must say the same, job for job."""

from collections.abc import Callable
import re
import shutil

import pandas as pd
import pytest
from tiny_grid import CHECKOUT, SPECIALTIES, Checkout
import yaml

LIBRARY = "workflow/scripts/neuro2cardio"
TRAINING = f"{LIBRARY}/models/fine_tuning.py"
FIGURES = f"{LIBRARY}/analysis/figures/style.py"
RESULTS = "results/tiny"


def documented() -> dict[str, dict[str, int]]:
    """The table of docs/reruns.md: change -> {rule: jobs}."""
    text = (CHECKOUT / "docs/reruns.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", text, re.MULTILINE)[1:]
    return {change: {rule: int(n) for rule, n in re.findall(r"`(\w+)` (\d+)", jobs)} for change, jobs in rows}


def replace(grid: Checkout, path: str, old: str, new: str) -> None:
    text = (grid / path).read_text()
    assert old in text
    (grid / path).write_text(text.replace(old, new, 1))


def reword(grid: Checkout, split: str) -> None:
    """Change a cardiology question of this split. Its id, by which splits are made, knows no case and stays."""
    questions = pd.read_parquet(grid / f"{RESULTS}/questions.parquet")
    own = questions.query("split == @split and specialty == 'Cardiology'")
    stem = own["stem"].iloc[0]
    replace(grid, "questions.json", stem, stem.replace("shows", "SHOWS"))


def reword_in_two_steps(grid: Checkout, split: str) -> None:
    """The same, and make again what is cut from the questions, which takes seconds and no GPU."""
    reword(grid, split)
    grid.snakemake("train_sets", "test_split", "--cores", "2")


def add_model(grid: Checkout) -> None:
    tiny = yaml.safe_load((grid / "config.yaml").read_text())["models"]["tiny"]
    grid.configure({"models.other": tiny, "grid.models": ["tiny", "other"]})


CHANGES: dict[str, Callable[[Checkout], None]] = {
    "nothing": lambda grid: None,
    "a train question of one specialty": lambda grid: reword(grid, "train"),
    "the same, after `snakemake train_sets test_split`": lambda grid: reword_in_two_steps(grid, "train"),
    "a test question, after `snakemake train_sets test_split`": lambda grid: reword_in_two_steps(grid, "test"),
    "a seed added": lambda grid: grid.configure({"grid.seeds": [1, 2]}),
    "a specialty left out": lambda grid: grid.configure({"grid.specialties": list(SPECIALTIES)[:3]}),
    "a recipe's learning rate": lambda grid: grid.configure({"recipes.completion.learning_rate": 0.001}),
    "a model added": add_model,
    "another number of orders of the options": lambda grid: grid.configure({"inference.permutations": 1}),
    "a figure's colour": lambda grid: grid.configure({"figures.colours": "PuOr"}),
    "the confidence of intervals (a key of another stage)": lambda grid: grid.configure(
        {"statistics": {"confidence": 0.9}}
    ),
    "a model's memory, time and threads": lambda grid: grid.configure({"models.tiny.resources.mem_mb": 3000}),
    "what the plan reckons with": lambda grid: grid.configure({"plan": {"gpu_tflops": 50}}),
    "the words of a prompt that no recipe or method uses": lambda grid: grid.configure({"prompt": {"generate": "?"}}),
    "a comment in a module": lambda grid: replace(grid, TRAINING, "\n\n\ndef", "\n\n\n# Why.\ndef"),
    "a docstring in a module": lambda grid: replace(grid, TRAINING, '"""One adapter', '"""An adapter'),
    "an edit of `training`": lambda grid: replace(grid, TRAINING, "_IGNORED = -100", "_IGNORED = -101"),
    "an edit of `figures`": lambda grid: replace(grid, FIGURES, "LEVEL = 0.05", "LEVEL = 0.01"),
    "the script of one stage (`infer`)": lambda grid: replace(
        grid, "workflow/scripts/infer.py", "mininterval=5", "mininterval=6"
    ),
    "a new function that nothing uses, in a module of training": lambda grid: replace(
        grid, TRAINING, "\n\n\ndef", "\n\n\ndef _unused():\n    return 1\n\n\ndef"
    ),
    "an error message": lambda grid: replace(grid, f"{LIBRARY}/core/tables.py", "truncated or invalid", "broken"),
    "a settings class of another stage": lambda grid: replace(
        grid,
        f"{LIBRARY}/config/planning.py",
        "class Planning",
        "class Another(Section):\n    key: int\n\n\nclass Planning",
    ),
    "how files are written or downloaded": lambda grid: [
        replace(grid, f"{LIBRARY}/core/files.py", "indent=2", "indent=4"),
        replace(grid, f"{LIBRARY}/core/downloads.py", "_RETRIES = 2", "_RETRIES = 3"),
    ],
    "a figure of the annotation": lambda grid: replace(
        grid, f"{LIBRARY}/annotation/quorum_figure.py", "def quorum_tradeoff(", "def quorum_tradeoff(*_, "
    ),
    "a file touched (questions, adapter, predictions)": lambda grid: [
        (grid / path).touch()
        for path in (
            "questions.json",
            f"{RESULTS}/adapters/tiny/completion/cardiology/seed-1/adapter_model.safetensors",
            f"{RESULTS}/predictions/tiny/base.parquet",
        )
    ],
    "an adapter deleted": lambda grid: [
        path.unlink() for path in (grid / f"{RESULTS}/adapters/tiny/completion/cardiology/seed-1").iterdir()
    ],
    "a prediction deleted": lambda grid: (grid / f"{RESULTS}/predictions/tiny/base.parquet").unlink(),
}
"""Row of the table -> what to do to a finished grid."""


def test_every_change_is_documented_and_every_row_is_tested():
    assert documented().keys() == CHANGES.keys()


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_runs_again_what_the_table_says(grid: Checkout, change: str):
    CHANGES[change](grid)
    assert grid.jobs() == documented()[change]


def test_in_one_step_only_what_changed_is_computed(grid: Checkout):
    reword(grid, "train")
    grid.snakemake("--cores", "2")
    logs = {
        stage: (grid / f"logs/tiny/{stage}").rglob("*.log") for stage in ("finetune", "infer_adapter", "infer_base")
    }
    computed = {
        stage: {path.parent.name for path in paths if "nothing to compute" not in path.read_text()}
        for stage, paths in logs.items()
    }
    # `mixed` holds one of the specialty's questions.
    assert computed == {
        "finetune": {"cardiology", "mixed"},
        "infer_adapter": {"cardiology", "mixed"},
        "infer_base": set(),
    }


def test_changed_settings_are_noticed_when_snakemakes_record_is_lost(grid: Checkout):
    shutil.rmtree(grid / ".snakemake")
    assert grid.jobs() == {}
    grid.configure({"recipes.completion.epochs": 2})
    said = grid.snakemake("--dry-run", expect=1)
    assert "5 adapters (results/tiny/adapters/tiny/completion/cardiology/seed-1, ...) were trained with other" in said
    assert "(recipe.epochs: 10 then, 2 now)" in said
    assert "--forcerun finetune" in said
    assert grid.jobs("--forcerun", "finetune")["finetune"] == 5
    # A run that looks at the grid only, and one whose settings are as they were, go on.
    grid.snakemake("settings", "--cores", "1")
    grid.configure({"recipes.completion.epochs": 10})
    assert grid.jobs() == {}


def test_one_specialty_is_made_without_the_tables_of_the_grid(grid: Checkout):
    tables = {path: path.read_bytes() for path in (grid / f"{RESULTS}/tables").iterdir() if path.is_file()}
    CHANGES["an adapter deleted"](grid)
    assert grid.jobs("specialty_cardiology") == {"finetune": 1, "infer_adapter": 1, "specialty_cardiology": 1}
    assert grid.jobs("specialty_neurology") == {}
    said = grid.snakemake("specialty_cardiology", "--cores", "2")
    assert "results/tiny/tables and the report were written before 1 of 5 adapters" in said
    assert {path: path.read_bytes() for path in (grid / f"{RESULTS}/tables").iterdir() if path.is_file()} == tables
    # The adapter came out as it was.
    assert grid.jobs() == {}


def test_a_dry_run_says_why(grid: Checkout):
    CHANGES["a recipe's learning rate"](grid)
    assert "Params have changed since last execution" in grid.snakemake("--dry-run", "-p")


def test_an_edit_of_training_trains_again_and_not_from_old_checkpoints(grid: Checkout):
    weights = f"{RESULTS}/adapters/tiny/completion/cardiology/seed-1/adapter_model.safetensors"
    before = (grid / weights).read_bytes()
    replace(grid, TRAINING, "_MEGA_BATCHES = 8", "_MEGA_BATCHES = 1")
    grid.snakemake(weights, "--cores", "1")
    assert (grid / weights).read_bytes() != before


def test_edited_files_of_a_local_model_are_recorded_anew_before_any_job_reads_them(new_grid: Checkout, tmp_path):
    grid, record = new_grid.copy(tmp_path / "grid"), "resources/models/tiny/model.json"
    model = shutil.copytree(
        yaml.safe_load((grid / "config.yaml").read_text())["models"]["tiny"]["path"], tmp_path / "m"
    )
    grid.configure({"models.tiny.path": str(model)})
    grid.snakemake(record, "--cores", "1")
    assert grid.jobs(record) == {}
    weights = bytearray((model / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (model / "model.safetensors").write_bytes(weights)
    assert grid.jobs(record) == {"fetch_model": 1}
