import json
from pathlib import Path
import re

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from neuro2cardio.config import settings
from neuro2cardio.core.errors import InputError
from neuro2cardio.models import logprobs, output_head, scoring
from neuro2cardio.operations import memory, plan

CONFIG = {
    "experiment": "grid",
    "grid": {"models": ["eight-billion"], "recipes": ["short"], "seeds": [1, 2, 3]},
    "dataset": {"origin": {"source": "s-medqa"}},
    "models": {"eight-billion": {"source": "hub", "id": "an/llm", "resources": {"gpu": 1, "parameters": 8.0}}},
    "recipes": {"short": {"loss": "completion", "form": "letter", "epochs": 1}},
}
SIZE = memory.Size(8e9, 2.6e6, "by hand")


def config(**changes) -> settings.Settings:
    return settings.load({**CONFIG, **changes})


def row(table: pd.DataFrame, rule: str) -> pd.Series:
    return table.set_index("rule").loc[rule]


def planned(grid: settings.Settings, **more) -> pd.DataFrame:
    return plan.plan(grid, plan.known_lengths(grid), {"eight-billion": SIZE}, **more)


def test_jobs_are_those_of_the_grid():
    table = planned(config())
    # 15 specialties and four controls, three seeds
    assert table.set_index("rule")["jobs"].to_dict() == {
        "fetch_model": 1,
        "finetune": 57,
        "infer_base": 1,
        "infer_adapter": 57,
    }


def test_seeds_scored_together_load_the_model_once_and_the_plan_says_what_that_saves():
    grid, sizes = config(inference={"adapters_per_job": "seeds"}), {"eight-billion": SIZE}
    before, after = row(planned(config()), "infer_adapter"), row(planned(grid), "infer_adapter")
    assert (after["jobs"], after["tokens"]) == (19, before["tokens"])
    # 38 starts of ten seconds, and 16 GB at 1 GB/s
    assert before["hours"] - after["hours"] == pytest.approx(38 * 26 / 3600)
    assert plan.sharing(grid, sizes).startswith("inference.adapters_per_job: seeds saves 0.274 job-hours")
    assert "would save 0.274" in plan.sharing(config(), sizes)


def test_flops_are_those_of_a_forward_and_a_backward_pass_through_frozen_weights():
    finetune, infer = row(planned(config()), "finetune"), row(planned(config()), "infer_adapter")
    assert finetune["flops"] == pytest.approx(4 * 8e9 * finetune["tokens"], rel=1e-6)
    assert infer["flops"] == pytest.approx(2 * 8e9 * infer["tokens"], rel=1e-6)


def test_a_question_of_s_medqa_has_about_as_many_tokens_as_were_counted():
    grid = config()
    assert plan.training_tokens(grid.recipes["short"], grid, plan.known_lengths(grid)) == pytest.approx(254, rel=0.05)


def test_a_stem_is_computed_once_for_all_orders_of_the_options():
    lengths = plan.known_lengths(config())
    one = plan.inference_tokens(config(inference={"permutations": 1}), lengths)
    four = plan.inference_tokens(config(inference={"permutations": 4}), lengths)
    assert one < four < 2 * one


def test_matched_train_sets_have_the_size_of_the_smallest():
    grid = config()
    smallest = 7125 * 34 // 899
    assert set(plan.known_lengths(grid).train.values()) == {smallest}


def test_a_dose_of_questions_shortens_the_training():
    dose = config(recipes={"short": CONFIG["recipes"]["short"] | {"train_size": 50}})
    smallest = 7125 * 34 // 899
    whole, part = (row(planned(grid), "finetune")["tokens"] for grid in (config(), dose))
    assert part == pytest.approx(whole * 50 / smallest, rel=0.01)


def test_natural_train_sets_differ():
    sizes = plan.known_lengths(config(dataset={"origin": {"source": "s-medqa"}, "train_size": "natural"})).train
    assert sizes["cardiology"] > 2 * sizes["rheumatology"]


def test_lengths_come_from_the_questions_where_there_are_some():
    questions = pd.DataFrame(
        {
            "question_id": ["a", "b", "c"],
            "split": ["train", "train", "test"],
            "stem": ["x" * 100, "x" * 100, "x" * 400],
            "options": [["yes", "no"]] * 3,
            "specialties": [["Cardiology"], ["Neurology"], ["Cardiology"]],
        }
    )
    grid = {**CONFIG["grid"], "specialties": ["Cardiology", "Neurology"], "controls": []}
    lengths = plan.measured_lengths(questions, config(grid=grid))
    assert lengths.train == {"cardiology": 1, "neurology": 1}
    assert lengths.asked == (1, 0)
    assert (lengths.test, lengths.stem, lengths.options, lengths.n_options) == (1, 200, 5, 2)
    assert "3 questions" in lengths.basis


def test_probes_are_counted_for_the_base_model_and_every_adapter():
    """Two groups of facts, each in three forms; the few-shot row is not asked them."""
    grid = {"origin": {"source": "hpo"}}
    lengths = plan.Lengths({"cardiology": 100}, 200, 200.0, 80.0, 4.0, "by hand")
    inference = {"methods": ["cloze"], "base_shots": 1}

    def planned_with(probes):
        made = config(dataset={**grid, "probes": probes}, inference=inference)
        return plan.plan(made, lengths, {"eight-billion": SIZE})

    without, with_probes = planned_with(0), planned_with(12)
    numbers = ["tokens", "disk_gb"]
    rules = ("infer_base", "infer_adapter", "finetune")
    more = {rule: row(with_probes, rule)[numbers] - row(without, rule)[numbers] for rule in rules}
    # 30 tokens of the template, stem, options, a token for 4 characters; a reversed probe has four stems as its options
    each = 2 * (30 + 200 / 4 + 80 / 4) + (30 + 20 / 4 + 4 * 200 / 4)
    assert more["infer_base"]["tokens"] == pytest.approx(2 * 12 * 15 * each, abs=1)
    assert more["infer_adapter"]["tokens"] == pytest.approx(57 * more["infer_base"]["tokens"], rel=1e-6)
    assert more["infer_base"]["disk_gb"] > 0
    assert more["finetune"]["tokens"] == 0
    assert row(with_probes, "infer_few_shot")["tokens"] == row(without, "infer_few_shot")["tokens"]


def test_every_wording_is_counted_on_the_validation_questions_and_one_on_the_test_questions():
    inference = {"methods": ["letter"], "base_prompts": [{"letter": "Which?"}, {"system": "Doctor."}]}
    asked, one = planned(config(inference=inference)), planned(config(inference={"methods": ["letter"]}))
    bare = planned(config(inference={"methods": ["letter"]}, terms={"contexts": ["prompt"]}))
    # Validation has as many questions as test; no term is read.
    assert row(asked, "infer_best_prompt")["tokens"] == pytest.approx(4 * row(bare, "infer_base")["tokens"], rel=1e-6)
    assert "infer_best_prompt" not in set(one["rule"])


def test_a_source_of_unknown_size_wants_its_questions():
    with pytest.raises(InputError, match=r"questions\.parquet"):
        plan.known_lengths(config(dataset={"origin": {"source": "hpo"}}))


def test_size_comes_from_the_weights_where_they_are_there(tmp_path):
    weights = {
        "model.embed_tokens.weight": np.zeros((50, 4), np.float32),
        "model.layers.0.q_proj.weight": np.zeros((4, 4), np.float32),
        "model.layers.0.up_proj.weight": np.zeros((8, 4), np.float32),
        "model.norm.weight": np.zeros(4, np.float32),
    }
    save_file(weights, tmp_path / "model.safetensors")
    shape = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
    (tmp_path / "config.json").write_text(json.dumps({**shape, "vocab_size": 50}))
    record = tmp_path / "model.json"
    record.write_text(json.dumps({"location": ".", "parameters": 252}))
    assert memory.model_size(config().models["eight-billion"], record) == memory.Size(
        252, 4 + 4 + 8 + 4, "its weights", (16 + 32) / 252, width=4, kept=4, vocabulary=50
    )


def test_size_comes_from_the_registry_otherwise(tmp_path):
    size = memory.model_size(config().models["eight-billion"], tmp_path / "model.json")
    assert size.parameters == 8e9
    assert size.lora_per_rank == pytest.approx(2.6e6, rel=0.02)


def test_size_of_an_unknown_model_is_asked_for(tmp_path):
    models = {"eight-billion": {"source": "hub", "id": "an/llm"}}
    with pytest.raises(InputError, match=r"resources\.parameters"):
        memory.model_size(config(models=models).models["eight-billion"], tmp_path / "model.json")


def test_a_model_without_gpu_costs_no_gpu_hours():
    models = {"eight-billion": {"source": "hub", "id": "an/llm", "resources": {"gpu": 0}}}
    table = planned(config(models=models))
    assert table["gpu_hours"].sum() == 0
    assert table["hours"].sum() > 100 * planned(config())["hours"].sum()


def test_the_next_plan_corrects_itself_by_what_was_measured():
    costs = pd.DataFrame({"rule": ["finetune"], "model": ["eight-billion"], "ratio": [3.0]})
    before, after = planned(config()), planned(config(), costs=costs)
    assert row(after, "finetune")["gpu_hours"] == pytest.approx(3 * row(before, "finetune")["gpu_hours"])
    assert row(after, "infer_adapter")["gpu_hours"] == row(before, "infer_adapter")["gpu_hours"]
    assert "measured" in row(after, "finetune")["basis"]


def test_the_summary_says_what_it_rests_on():
    text = plan.summary(planned(config()), plan.known_lengths(config()))
    assert "116 jobs" in text
    assert "published sizes of S-MedQA" in text


def test_the_summary_tells_gpu_memory_from_host_memory_and_writes_short_times_in_minutes_or_seconds():
    text = plan.summary(planned(config()), plan.known_lengths(config()))
    assert "GPU memory host memory asked for" in text
    fetch = next(line for line in text.splitlines() if "fetch_model" in line)
    assert "26 s" in fetch


@pytest.mark.parametrize(
    ("billions", "said"),
    [
        (0.5, "GPUs of 16, 24, 40, 48, 80 GB will do"),
        (8, "GPUs of 40, 48, 80 GB will do"),
        (70, "fits no GPU of up to 80 GB: set load: 4bit"),
    ],
)
def test_the_summary_says_which_gpus_hold_a_model(billions, said):
    models = {"eight-billion": {"source": "hub", "id": "an/llm", "resources": {"gpu": 1, "parameters": billions}}}
    grid = config(models=models)
    size = memory.model_size(grid.models["eight-billion"], Path("model.json"))
    table = plan.plan(grid, plan.known_lengths(grid), {"eight-billion": size})
    assert said in plan.summary(table, plan.known_lengths(grid))


def test_a_model_on_the_cpu_needs_no_gpu():
    models = {"eight-billion": {"source": "hub", "id": "an/llm", "resources": {"gpu": 0}}}
    assert plan.gpu_sizes(planned(config(models=models))) == ""


def test_memory_knows_number_type_and_gradient_checkpointing():
    recipe = config().recipes["short"]
    usual = memory.training_bytes(SIZE, recipe, 300)
    less = memory.training_bytes(SIZE, recipe.model_copy(update={"gradient_checkpointing": True}), 300)
    assert 2 * SIZE.parameters < less < usual - 3e9
    entry = {**CONFIG["models"]["eight-billion"], "load": "float32"}
    infer = row(planned(config(models={"eight-billion": entry})), "infer_base")
    assert 32 < infer["gpu_memory_gb"] < 42


def test_scoring_needs_memory_for_its_passes_and_no_more_than_they_can_be():
    def needed(**inference):
        return row(planned(config(inference=inference)), "infer_base")["gpu_memory_gb"]

    assert 17 < needed() < 22
    assert needed(batch_tokens=1024) < needed() - 1
    # No more questions are handed over together than 16.
    assert needed(batch_tokens=10**6) == needed()
    assert (
        scoring.QUESTIONS_AT_ONCE["cuda"],
        logprobs.BATCH_TOKENS["cuda"],
        output_head._VOCABULARY_CHUNK,
    ) == (memory.QUESTIONS_AT_ONCE, memory.GPU_BATCH_TOKENS, memory.HEAD_ROWS)


@pytest.mark.parametrize("changed", [{"final_logit_softcapping": 30.0}, {"logit_scale": 0.0625}, {"logits_scaling": 8}])
def test_a_model_that_changes_its_logits_needs_memory_for_all_of_them(tmp_path, changed):
    sizes = []
    for more in ({"final_logit_softcapping": None}, changed):
        folder = tmp_path / str(len(sizes))
        folder.mkdir()
        save_file({"model.layers.0.mlp.up_proj.weight": np.zeros((8, 4))}, folder / "model.safetensors")
        shape = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 100_000}
        (folder / "config.json").write_text(json.dumps({**shape, **more}))
        sizes.append(memory.measured_size(folder))
    few, all_of_them = (memory.scoring_bytes(size, "auto", 10, 10) for size in sizes)
    assert all_of_them - few == 2 * 4 * 10 * (100_000 - memory.HEAD_ROWS)


def test_the_plan_says_in_points_what_the_grid_can_find_and_more_questions_find_less():
    whole, few = (config(dataset={"origin": {"source": "s-medqa"}, "test_size": n}) for n in (None, 20))
    said = [plan.findable(grid, plan.known_lengths(grid)) for grid in (whole, few)]
    found = [float(re.search(r"specialty knowledge over all of (\d+\.\d) points", text)[1]) for text in said]
    assert 0 < found[0] < found[1]
    assert "15 specialties of 34 to 94 test questions" in said[0] and "by a lead of" in said[0]
    one = config(grid={**CONFIG["grid"], "specialties": ["Cardiology"], "controls": []})
    assert "nothing can be said about specialty knowledge" in plan.findable(one, plan.known_lengths(one))


def test_4_bits_and_several_gpus_make_large_models_fit():
    def needed(load, gpus):
        entry = {"source": "hub", "id": "an/llm", "load": load, "resources": {"gpu": gpus, "parameters": 50}}
        grid = config(models={"eight-billion": entry})
        size = memory.model_size(grid.models["eight-billion"], Path("model.json"))
        table = plan.plan(grid, plan.known_lengths(grid), {"eight-billion": size})
        return row(table, "finetune"), plan.gpu_sizes(table)

    (whole, _), (quantized, said), (spread, on_each) = needed("auto", 1), needed("4bit", 1), needed("auto", 3)
    assert quantized["gpu_memory_gb"] < whole["gpu_memory_gb"] / 2
    assert "GPUs of 80 GB will do" in said
    assert spread["gpu_memory_gb"] == pytest.approx(whole["gpu_memory_gb"] / 3)
    assert "3 GPUs of 48, 80 GB" in on_each
    # One of the three computes at a time.
    assert (spread["hours"], spread["gpu_hours"]) == (whole["hours"], 3 * whole["hours"])
