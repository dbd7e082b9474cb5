"""The grid as a user meets it: what a dry run lists, another model needs, comes out, and is refused at once."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from tiny_grid import CHECKOUT, Checkout, environment

from neuro2cardio.config.inference import Prompt
from neuro2cardio.core import tables
from neuro2cardio.models import prompting, registry


@pytest.fixture
def shipped(new_grid: Checkout, tmp_path) -> Checkout:
    """A fresh checkout with the configurations that it ships."""
    grid = new_grid.copy(tmp_path / "grid")
    for name in ("config.yaml", "demo.yaml"):
        shutil.copy(CHECKOUT / name, grid / name)
    return grid


def test_the_full_grid_is_known_at_dry_run(shipped: Checkout):
    jobs = shipped.jobs()
    adapters = 3 * 2 * 19 * 3
    assert (jobs["finetune"], jobs["infer_adapter"], jobs["infer_base"], jobs["figures"]) == (adapters, adapters, 3, 6)
    assert sum(jobs.values()) < 730


def test_the_demo_is_the_grid_of_its_file_and_nothing_of_the_full_one(shipped: Checkout):
    jobs = shipped.jobs("--configfile", "demo.yaml")
    assert (jobs["finetune"], jobs["infer_adapter"], jobs["infer_base"], jobs["fetch_model"]) == (6, 6, 1, 1)
    assert "fetch_s_medqa" not in jobs


@pytest.mark.parametrize(
    ("change", "commands"),
    [
        (
            {
                "dataset.origin": {
                    "source": "huggingface",
                    "id": "some/exam",
                    "revision": "0123456789",
                    "splits": {"train": "train", "test": "test"},
                }
            },
            ["fetch.py"],
        ),
        ({"dataset.origin": {"source": "s-medqa"}}, ["fetch.py"]),
        ({"models.tiny": {"source": "hub", "id": "some/model", "revision": "0123456789"}}, ["fetch_model.py"]),
    ],
    ids=["questions of the hub", "S-MedQA", "a model of the hub"],
)
def test_commands_that_need_the_internet_are_whole(new_grid: Checkout, tmp_path, change, commands):
    """They cannot run here, so that a placeholder which nothing fills would be found by a user only."""
    grid = new_grid.copy(tmp_path / "grid")
    grid.configure(change)
    said = grid.snakemake("--dry-run", "--printshellcmds")
    assert all(f"/{command} --settings" in said for command in commands)


def test_nothing_heavy_is_imported_while_the_workflow_is_read(shipped: Checkout):
    program = """
import sys
from snakemake.cli import main
try:
    main(["--dry-run", "--quiet", "all"])
except SystemExit as end:
    assert not end.code, end.code
heavy = {"torch", "transformers", "peft", "matplotlib", "statsmodels", "datasets"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_every_train_set_is_scored_on_every_specialty(finished_grid: Checkout):
    matrix = pd.read_csv(finished_grid / "results/tiny/tables/transfer_matrix.csv")
    sizes = matrix.groupby("train_set")["test_specialty"].nunique()
    assert sizes.to_dict() == dict.fromkeys(
        ["base", "cardiology", "neurology", "dermatology", "gastroenterology", "mixed"], 5
    )
    assert matrix["accuracy"].between(0, 1).all()
    cells = matrix[matrix["train_set"] != "base"]
    assert (cells["change_low"] <= cells["change"]).all()
    assert (cells["change"] <= cells["change_high"]).all()


def test_controls_are_targets_and_an_unknown_one_names_the_nearest(new_grid: Checkout):
    assert new_grid.jobs("specialty_mixed")["finetune"] == 1
    said = new_grid.snakemake("--dry-run", "specialty_neurolgy", expect=1)
    assert "there is no target 'specialty_neurolgy'; did you mean 'specialty_neurology'?" in said


def test_figures_and_summary_are_there(finished_grid: Checkout):
    figures = {p.stem for p in (finished_grid / "results/tiny/figures/tiny/completion").glob("*.png")}
    assert {
        "transfer-cloze",
        "transfer-against-mixed-cloze",
        "diagonal-cloze",
        "term-shift-prompt",
        "term-shift-grid-prompt",
        "training-loss",
    } <= figures
    summary = (finished_grid / "results/tiny/tables/summary.txt").read_text()
    assert summary.startswith("tiny, completion, cloze: ") and "Common gain: " in summary
    assert (finished_grid / "results/tiny/report/index.html").stat().st_size > 4_000_000
    assert summary in finished_grid.said()


def test_what_only_looks_runs_on_a_finished_grid_and_computes_nothing_of_it_again(grid: Checkout):
    said = grid.snakemake("--cores", "1", "plan", "power", "cost", "settings", "design", "questions")
    assert "specialties of 12 test questions" in said and "accuracy and agreement measured" in said
    assert "rule finetune" not in said and "rule infer" not in said
    assert {path.name for path in (grid / "results/tiny/plan").glob("*.csv")} == {"plan.csv", "power.csv", "cost.csv"}
    found = pd.read_csv(grid / "results/tiny/plan/power.csv").set_index("statement")
    shifts = pd.read_csv(grid / "results/tiny/tables/term_shift.csv", dtype={"seed": str})
    pooled = shifts.query("train_set == 'all' and seed == 'all' and measure == 'mean' and scope == 'strict'")
    pilot = pooled[pooled["context"] == "prompt"].set_index("group").loc["terms_minus_placebo"]
    by_pilot = (pilot["high"] - pilot["low"]) / 2 * 2.802 / 1.96
    assert found.loc["clinical terms rise more than placebo words (claim 2)", "found"] == pytest.approx(by_pilot, 0.01)
    # What a pilot of one seed found is not what two will find.
    grid.configure({"grid.seeds": [1, 2]})
    said = grid.snakemake("--cores", "1", "power")
    assert said.count("no pilot was found") == 2 and "mentions in 48 of the test questions" in said


def test_plain_peft_gives_the_predictions_of_the_workflow(finished_grid: Checkout):
    """What a reader of the README would write, with nothing of ours but the prompt's text."""
    from peft import PeftModel
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    results, seed = finished_grid / "results/tiny", "tiny/completion/cardiology/seed-1"
    folder = registry.location(finished_grid / "resources/models/tiny/model.json")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder), results / "adapters" / seed).eval()
    stored = tables.read(results / f"predictions/{seed}.parquet", tables.PREDICTIONS).set_index("question_id")
    asked = tables.read(results / "questions.parquet", tables.QUESTIONS).query("split == 'test'").head(4)
    prompter = prompting.Prompter(tokenizer, Prompt(), 400)
    for question in prompting.questions_of(asked):
        for option, expected in zip(question.options, stored.loc[question.question_id, "option_logprobs"], strict=True):
            prompt = prompter.pose(question, "cloze").ids
            ids = torch.tensor([prompter.pose(question, "cloze", option).ids])
            with torch.inference_mode():
                logprobs = model(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[len(prompt) - 1 :]
            assert float(logprobs.mean()) == pytest.approx(expected, abs=1e-3)


def test_the_job_cache_takes_no_disk_of_its_own(finished_grid: Checkout):
    results, seed = finished_grid / "results/tiny", "tiny/completion/cardiology/seed-1"
    weights = next((results / "job_cache/finetune" / seed).glob("*/finished/adapter_model.safetensors"))
    assert weights.samefile(results / "adapters" / seed / "adapter_model.safetensors")
    scored = next((results / "job_cache/infer" / seed).glob("*/finished/predictions.parquet"))
    assert scored.samefile(results / "predictions" / f"{seed}.parquet")


def test_a_run_record_says_what_an_adapter_was_made_from(finished_grid: Checkout):
    folder = finished_grid / "results/tiny/adapters/tiny/completion/cardiology/seed-1"
    record = json.loads((folder / "run.json").read_text())
    assert {"settings", "seed", "train_set_sha256", "model", "versions", "device", "tokens", "seconds"} <= record.keys()
    assert record["model"]["weights"]
    curve = pd.read_csv(folder / "training.csv")
    assert list(curve["step"]) == list(range(1, record["steps"] + 1))
    assert curve["tokens"].iloc[-1] == record["tokens"]


@pytest.mark.slow
def test_another_architecture_without_chat_template_runs_by_configuration_alone(
    new_grid: Checkout, tiny_model, tmp_path
):
    grid = new_grid.copy(tmp_path / "grid")
    other = {
        "source": "path",
        "path": str(tiny_model("gpt2", "metaspace", None)),
        "load": "float32",
        "max_tokens": 400,
    }
    grid.configure(
        {
            "models.other": other,
            "grid.models": ["other"],
            "grid.specialties": ["Cardiology", "Neurology"],
            "grid.controls": [],
            "recipes.completion.epochs": 1,
            "inference.methods": ["cloze", "letter", "generate"],
            "inference.max_new_tokens": 4,
        }
    )
    grid.snakemake("--cores", "2")
    found = tables.read(grid / "results/tiny/predictions/other/base.parquet", tables.PREDICTIONS)
    assert set(found["method"]) == {"cloze", "letter", "generate"}
    scored = found[found["method"] != "generate"]
    assert np.isfinite(np.concatenate(scored["option_logprobs"].to_list())).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"grid.specialties": ["Cardiolgy"]}, "unknown specialty 'Cardiolgy'; did you mean 'Cardiology'?"),
        ({"grid.models": ["tinny"]}, "'tinny' is not in models; did you mean 'tiny'?"),
        ({"recipes.completion.epocs": 2}, "recipes.completion.epocs: unknown key; did you mean 'epochs'?"),
        ({"dataset.origin.files": {"all": "nowhere.json"}}, "nowhere.json"),
    ],
)
def test_what_is_wrong_is_said_before_the_first_job(new_grid: Checkout, tmp_path, change, said):
    grid = new_grid.copy(tmp_path / "grid")
    grid.configure(change)
    output = grid.snakemake("--dry-run", expect=1)
    # The sentence ends the output, and neither a traceback nor the settings come with it.
    assert said in "\n".join(output.strip().splitlines()[-2:])
    assert len(output) < 1000


@pytest.mark.parametrize(
    ("change", "rule", "said"),
    [
        ({"dataset.min_train": 1000}, "questions", "min_train"),
        ({"models.tiny.path": "nowhere"}, "fetch_model", "'nowhere' is not a model folder"),
        (
            {
                "models.tiny.max_tokens": 40,
                "inference.methods": ["letter"],
                "recipes.completion.form": "letter",
            },
            "check_model",
            "options alone are longer than the model's window",
        ),
    ],
)
def test_what_needs_a_look_at_the_data_is_said_before_weights_are_loaded(
    new_grid: Checkout, tmp_path, change, rule, said
):
    grid = new_grid.copy(tmp_path / "grid")
    grid.configure(change)
    output = grid.snakemake("--cores", "2", expect=1)
    assert said in output
    assert f"Error in rule {rule}" in output
    # The check looks at the weights' shapes; no job that would compute with them gets that far.
    for stage in ("finetune", "infer_base", "infer_adapter"):
        logs = (grid / f"logs/tiny/{stage}").rglob("*.log")
        assert not [log for log in logs if "Loading weights" in log.read_text()]
    assert not list((grid / "results").rglob("adapter_model.safetensors"))
    assert not list((grid / "results").rglob("base.parquet"))
