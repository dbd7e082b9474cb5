"""One adapter: what is learned, in which order, and that killing and repeating change nothing."""

from collections import Counter
import os
from pathlib import Path

from full_memory import each_full_memory
from hypothesis import given, settings as hypothesis_settings, strategies as st
import numpy as np
import pytest
import torch

from neuro2cardio.config.inference import Prompt
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.core.errors import InputError
from neuro2cardio.models import fine_tuning, registry
from neuro2cardio.models.prompting import Prompter, Question

QUESTIONS = [
    Question(
        f"q{i}", f"A {20 + i}-year-old man has chest pain {'and dyspnea ' * (i % 3)}", ("angina", "seizure"), i % 2
    )
    for i in range(10)
]
RECIPE = Recipe(loss="completion", form="cloze", rank=2, epochs=2, batch_size=4, micro_batch_size=2, checkpoint_steps=2)


@pytest.fixture
def train(tiny_model, tmp_path):
    """Trains an adapter from scratch in a folder of its own and returns its files' bytes and the record."""

    def run(recipe: Recipe = RECIPE, seed: int = 1, name: str = "a", **more):
        model = registry.load(tiny_model(), "float32", threads=1)
        learned = fine_tuning.examples(Prompter(model.tokenizer, Prompt(), 400), QUESTIONS, recipe)
        trained = fine_tuning.train(model, learned, recipe, seed, tmp_path / name, show=False, **more)
        fine_tuning.save_adapter(trained.network, tmp_path / f"{name}-adapter", "tiny")
        return {p.name: p.read_bytes() for p in sorted((tmp_path / f"{name}-adapter").iterdir())}, trained

    return run


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(1, 4), st.integers(1, 9), st.integers(0, 5))
@hypothesis_settings(max_examples=60, deadline=None)
def test_every_epoch_sees_every_example_once(lengths, epochs, batch_size, seed):
    found = fine_tuning.order(lengths, epochs, batch_size, seed)
    for epoch in np.split(found, epochs):
        assert sorted(epoch) == list(range(len(lengths)))
    assert (found == fine_tuning.order(lengths, epochs, batch_size, seed)).all()


def test_batches_hold_questions_of_like_length_in_an_order_that_the_seed_shuffles():
    lengths = list(range(64))
    batches = fine_tuning.order(lengths, 1, 8, seed=1).reshape(-1, 8)
    assert max(np.ptp(batch) for batch in batches) <= 8
    assert not np.array_equal(batches, fine_tuning.order(lengths, 1, 8, seed=2).reshape(-1, 8))


def test_a_smaller_dose_is_part_of_a_larger_one(tiny_model):
    prompter = Prompter(registry.load_tokenizer(tiny_model()), Prompt(), 400)
    four, nine, more = (
        fine_tuning.examples(prompter, QUESTIONS, RECIPE.model_copy(update={"train_size": n})) for n in (4, 9, 99)
    )
    assert (len(four), len(nine), len(more)) == (4, 9, len(QUESTIONS))
    assert [e.input_ids for e in four] == [e.input_ids for e in nine[:4]]


def test_completion_learns_the_answer_and_full_the_whole_text(tiny_model):
    prompter = Prompter(registry.load_tokenizer(tiny_model()), Prompt(), 400)
    completion, full = (
        fine_tuning.examples(prompter, QUESTIONS[:1], RECIPE.model_copy(update={"loss": loss}))[0]
        for loss in ("completion", "full")
    )
    learned = [t for t in completion.labels if t != -100]
    assert prompter.tokenizer.decode(learned) == "angina</s>"
    assert completion.input_ids == full.input_ids
    assert full.labels[1:] == full.input_ids[1:]
    assert full.labels[0] == -100


def test_an_answer_without_tokens_is_refused(tiny_model):
    prompter = Prompter(registry.load_tokenizer(tiny_model()), Prompt(), 400)
    with pytest.raises(InputError, match="nothing to learn"):
        fine_tuning.example(prompter.pose(QUESTIONS[0], "cloze"), "completion")


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(train):
    first, again, other = train(name="a")[0], train(name="b")[0], train(name="c", seed=2)[0]
    assert first == again
    assert first["adapter_model.safetensors"] != other["adapter_model.safetensors"]


@pytest.mark.parametrize("loss", ["completion", "full"])
def test_the_loss_falls(train, loss):
    curve = train(RECIPE.model_copy(update={"loss": loss, "epochs": 8, "learning_rate": 1e-2}))[1].curve
    assert list(curve["step"]) == list(range(1, 21))
    assert curve["loss"].tail(4).mean() < curve["loss"].head(4).mean() - 0.05
    assert curve["tokens"].is_monotonic_increasing


def test_how_a_batch_is_cut_does_not_change_what_is_learned(train):
    """What a GPU that runs out of memory relies on: smaller micro-batches, more accumulation, the same steps."""
    curves = [train(RECIPE.model_copy(update={"micro_batch_size": n}), name=f"micro-{n}")[1].curve for n in (1, 2, 4)]
    for curve in curves[1:]:
        np.testing.assert_allclose(curve["loss"], curves[0]["loss"], rtol=1e-4)
        np.testing.assert_allclose(curve["grad_norm"], curves[0]["grad_norm"], rtol=1e-3)


@pytest.mark.parametrize("loss", ["completion", "full"])
def test_gradient_checkpointing_changes_nothing_that_is_learned(train, monkeypatch, loss):
    """Losses and gradients are the same; the forward pass of each layer runs a second time."""
    from transformers.models.llama.modeling_llama import LlamaMLP

    calls = []
    real = LlamaMLP.forward
    monkeypatch.setattr(LlamaMLP, "forward", lambda self, x: calls.append(torch.is_grad_enabled()) or real(self, x))
    recipe, curves, computed = RECIPE.model_copy(update={"loss": loss}), [], []
    for on in (False, True):
        calls.clear()
        curves.append(
            train(recipe.model_copy(update={"gradient_checkpointing": on}), name=f"checkpointing-{on}")[1].curve
        )
        # Passes without gradients are those that try how a network can be computed.
        computed.append(sum(calls))
    np.testing.assert_allclose(curves[1]["loss"], curves[0]["loss"], rtol=1e-4)
    np.testing.assert_allclose(curves[1]["grad_norm"], curves[0]["grad_norm"], rtol=1e-3)
    assert computed[1] == 2 * computed[0] > 0


@each_full_memory
def test_out_of_memory_halves_the_micro_batch_and_goes_on(train, monkeypatch, full):
    undisturbed, _ = train(RECIPE.model_copy(update={"micro_batch_size": 1}), name="one")
    real = fine_tuning._Trainer.compute_loss

    def small(self, model, inputs, *args, **more):
        if len(inputs["input_ids"]) > 1:
            raise full
        return real(self, model, inputs, *args, **more)

    monkeypatch.setattr(fine_tuning._Trainer, "compute_loss", small)
    files, trained = train(RECIPE.model_copy(update={"micro_batch_size": 4}), name="small")
    assert trained.record["micro_batch_size"] == 1
    assert files["adapter_model.safetensors"] == undisturbed["adapter_model.safetensors"]


def test_one_question_that_does_not_fit_says_what_to_do(train, monkeypatch):
    def no_memory(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(fine_tuning._Trainer, "compute_loss", no_memory)
    with pytest.raises(InputError, match=r"larger GPU .*resources.mem_mb.*lower max_tokens"):
        train()


@pytest.mark.parametrize("half_written", [False, True])
def test_a_run_killed_half_way_goes_on_to_the_same_bytes(train, monkeypatch, tmp_path, half_written):
    undisturbed, _ = train(name="whole")
    saves = Counter()
    real = fine_tuning.ProgressCallback.on_save

    def power_cut(self, args, state, control, **more):
        saves[state.global_step] += 1
        real(self, args, state, control, **more)
        if state.global_step == 4:
            if half_written:
                weights = Path(args.output_dir) / "checkpoint-4" / "adapter_model.safetensors"
                os.truncate(weights, weights.stat().st_size // 2)
            raise KeyboardInterrupt

    monkeypatch.setattr(fine_tuning.ProgressCallback, "on_save", power_cut)
    with pytest.raises(KeyboardInterrupt):
        train(name="cut")
    monkeypatch.setattr(fine_tuning.ProgressCallback, "on_save", real)
    resumed, trained = train(name="cut")
    assert trained.record["resumed_from_step"] == (None if half_written else 4)
    assert resumed == undisturbed
    assert list(trained.curve["step"]) == [1, 2, 3, 4, 5]
    assert trained.curve["seconds"].is_monotonic_increasing


def test_a_loss_that_is_not_finite_is_an_error(train):
    with pytest.raises(InputError, match="lower the recipe's learning_rate"):
        train(RECIPE.model_copy(update={"learning_rate": 1e30, "warmup": 0.0, "epochs": 6}))


def test_a_run_that_learned_nothing_fails_and_says_so(train):
    """A learning rate far too high takes the weights to where the gradient is exactly zero, and the loss is finite."""
    recipe = RECIPE.model_copy(update={"learning_rate": 1e6, "epochs": 6})
    with pytest.raises(InputError, match=r"gradient is zero .* nothing was learned; .* learning_rate \(it is 1e\+06\)"):
        train(recipe)


def test_plain_peft_loads_the_adapter_and_gives_the_same_logits(train, tiny_model, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    _, trained = train(RECIPE.model_copy(update={"learning_rate": 1e-2}))
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model()), tmp_path / "a-adapter")
    ids = torch.arange(3, 23)[None]
    with torch.inference_mode():
        base = AutoModelForCausalLM.from_pretrained(tiny_model())(ids).logits
        ours, theirs = trained.network.eval()(ids).logits, plain.eval()(ids).logits
    torch.testing.assert_close(ours, theirs)
    assert not torch.allclose(base, theirs, atol=1e-3)
