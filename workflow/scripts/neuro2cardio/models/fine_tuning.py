"""One adapter: data order, loss, checkpoints, resume. LoRA through peft, the loop is transformers' Trainer."""

from collections.abc import Sequence
from dataclasses import dataclass
import json
from math import ceil
from pathlib import Path
import shutil
import signal
import time
from typing import Any

import numpy as np
import pandas as pd
from peft import LoraConfig, PeftModel, get_peft_model
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Sampler, SequentialSampler
from tqdm import tqdm
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from ..config.recipes import Recipe
from ..core.errors import InputError, out_of_memory
from ..core.files import write_json
from ..core.job_cache import is_whole, mark_whole
from ..core.signals import on_signal
from . import adapter_layers, lora_targets, output_head, packed_loss
from .prompting import Prompter, Question, Tokens
from .registry import LoadedModel
from .training_checks import require_learning

_IGNORED = -100
_MEGA_BATCHES = 8
"""Batches whose questions are sorted by length together: less padding, and still a random order."""


@dataclass(frozen=True)
class Example:
    """A train question as ids, and as many labels; labels of -100 are not learned."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Trained:
    """A fine-tuned network and how it got there."""

    network: PeftModel
    curve: pd.DataFrame
    record: dict[str, Any]


def example(tokens: Tokens, loss: str) -> Example:
    """Ids with labels: of the answer and its end (`completion`), or of the whole text (`full`).

    The first token of a text has nothing before it and is never learned. Raises `InputError` where nothing is left to
    learn.
    """
    first = max(1, tokens.answer if loss == "completion" else 1)
    if tokens.answer >= tokens.end:
        raise InputError(f"nothing to learn: the answer of {tokens.text[:80]!r}... has no token of its own")
    return Example(tokens.ids, (_IGNORED,) * first + tokens.ids[first:])


def examples(prompter: Prompter, questions: Sequence[Question], recipe: Recipe) -> list[Example]:
    """The train set, or the first `train_size` of it, as the recipe poses it, in the order of the questions."""
    return [example(prompter.training(q, recipe.form), recipe.loss) for q in questions[: recipe.train_size]]


def order(lengths: Sequence[int], epochs: int, batch_size: int, seed: int) -> np.ndarray:
    """Indices of all examples of all epochs, in the order in which they are learned.

    Each epoch is a permutation; within a few batches, examples are sorted by length and the batches shuffled. The whole
    order is known before the first step, so that a resumed run only has to skip what it had done.
    """
    rng = np.random.default_rng(seed)
    sizes = np.asarray(lengths)
    epochs_in_order = []
    for _ in range(epochs):
        shuffled = rng.permutation(len(sizes))
        batches = []
        for mega in _chunks(shuffled, batch_size * _MEGA_BATCHES):
            by_length = mega[np.argsort(-sizes[mega], kind="stable")]
            batches += _chunks(by_length, batch_size)
        # A short batch stays last; the others swap places.
        full = [b for b in batches if len(b) == batch_size]
        full = [full[i] for i in rng.permutation(len(full))]
        epochs_in_order += [*full, *(b for b in batches if len(b) < batch_size)]
    return np.concatenate(epochs_in_order)


def train(
    model: LoadedModel, learned: Sequence[Example], recipe: Recipe, seed: int, checkpoints: Path, show: bool = True
) -> Trained:
    """Fine-tune a LoRA adapter, going on from the newest whole checkpoint in ``checkpoints``.

    Where the memory of a GPU or of the machine is full, the micro-batch is halved and accumulation doubled, which
    leaves the optimiser's steps what they were. Raises `InputError` where a single question does not fit.
    """
    micro = recipe.micro_batch_size
    # Tried before the adapter and its dropout exist.
    packed_loss.can_pack(model)
    output_head.is_plain(model.network)
    if recipe.gradient_checkpointing and not model.network.supports_gradient_checkpointing:
        raise InputError(
            f"gradient_checkpointing: {type(model.network).__name__} has none in transformers; set it to false"
        )
    # Before the adapter exists: its matrices are drawn when it is made.
    set_seed(seed)
    network = _adapted(model.network, recipe)
    while True:
        try:
            return _train(model, network, learned, recipe, seed, checkpoints, micro, show)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if micro == 1:
                raise InputError(
                    "out of memory with one question at a time; use a larger GPU (or, on a CPU, raise "
                    "resources.mem_mb), or lower max_tokens"
                ) from error
            # Half, or the next smaller number that still divides the batch.
            micro = next(n for n in range(micro // 2, 0, -1) if recipe.batch_size % n == 0)
            torch.cuda.empty_cache()
            print(f"out of memory: going on with {micro} questions in memory, the same batch", flush=True)
            set_seed(seed)
            network = _adapted(network.unload(), recipe)


def save_adapter(network: PeftModel, folder: Path, base: str) -> None:
    """Write a plain PEFT folder: equal adapters are equal bytes. ``base`` names the base model for readers."""
    network.save_pretrained(str(folder), safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    # peft keeps targets in sets, whose order differs from process to process.
    for key in ("target_modules", "target_parameters"):
        config[key] = sorted(config[key]) if config.get(key) else config.get(key)
    config["base_model_name_or_path"] = base
    write_json(folder / "adapter_config.json", config)


def _train(
    model: LoadedModel,
    network: PeftModel,
    learned: Sequence[Example],
    recipe: Recipe,
    seed: int,
    checkpoints: Path,
    micro: int,
    show: bool,
) -> Trained:
    sequence = order([len(e.input_ids) for e in learned], recipe.epochs, recipe.batch_size, seed)
    steps = ceil(len(sequence) / recipe.batch_size)
    progress = ProgressCallback(steps, show)
    resumed = newest_whole(checkpoints)
    trainer = _Trainer(
        base=model,
        # Attention of a packed pass can't be computed a second time: its layout is gone by then.
        packs=packed_loss.can_pack(model) and not recipe.gradient_checkpointing,
        model=network,
        args=_arguments(model, recipe, seed, checkpoints, micro, steps),
        train_dataset=[learned[i] for i in sequence],  # type: ignore[arg-type]
        data_collator=_collate,
        callbacks=[progress],
    )
    trainer.remove_callback(PrinterCallback)
    # A preempted or cancelled job gets SIGTERM: it writes a checkpoint after the step under way.
    with on_signal(progress.stop, signal.SIGTERM, signal.SIGINT):
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    if progress.stopped and trainer.state.global_step < steps:
        raise SystemExit(
            f"stopped by signal at step {trainer.state.global_step} of {steps}; a rerun goes on from there"
        )
    tokens = np.cumsum([len(learned[i].input_ids) for i in sequence])
    curve = _curve(trainer.state.log_history, tokens, recipe.batch_size)
    require_learning(curve, recipe)
    record = {
        "steps": steps,
        "tokens": int(tokens[-1]),
        "seconds": float(curve["seconds"].iloc[-1]),
        "micro_batch_size": micro,
        "resumed_from_step": int(resumed.name.rpartition("-")[2]) if resumed else None,
        "device": torch.cuda.get_device_name() if model.device.type == "cuda" else "cpu",
        "vocabulary": int(model.network.get_output_embeddings().weight.shape[0]),
        "trainable_parameters": sum(p.numel() for p in network.parameters() if p.requires_grad),
    }
    return Trained(network, curve, record)


def newest_whole(checkpoints: Path) -> Path | None:
    """The newest checkpoint that was written to its end; what a killed job left half-written is removed."""
    found = sorted(checkpoints.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]), reverse=True)
    for folder in found:
        if is_whole(folder):
            return folder
        shutil.rmtree(folder)
    return None


class _Trainer(Trainer):
    """Trainer with a loss that pads nothing and never holds all logits, and an order fixed beforehand."""

    def __init__(self, base: LoadedModel, packs: bool, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._base, self._packs = base, packs
        self._plain_head = output_head.is_plain(base.network)
        # Makes Trainer count the labels of a whole batch, by which `compute_loss` divides: the sum over micro-batches
        # is then the batch's mean, however it is cut.
        self.model_accepts_loss_kwargs = True
        self._started = time.monotonic()
        self._before: float | None = None

    def _get_train_sampler(self, *_: Any) -> Sampler[int]:
        return SequentialSampler(self.train_dataset)  # type: ignore[arg-type]

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Cross-entropy summed over the labels, divided by the labels of the whole batch."""
        labels = inputs["labels"]
        with torch.autocast(labels.device.type, torch.bfloat16, enabled=self.args.bf16):
            total = self._packed_loss(inputs) if self._packs else self._padded_loss(model, inputs)
        total = total.to(labels.device)
        loss = total / num_items_in_batch if num_items_in_batch is not None else total / (labels != _IGNORED).sum()
        return (loss, {"loss": loss}) if return_outputs else loss

    def _packed_loss(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        lengths = inputs["attention_mask"].sum(1).tolist()
        ids, labels = (
            [tuple(row[:n]) for row, n in zip(inputs[key].tolist(), lengths, strict=True)]
            for key in ("input_ids", "labels")
        )
        return packed_loss.summed(self._base, ids, labels, _IGNORED)

    def _padded_loss(self, model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """The loss of a padded batch; of a network with a plain head, logits where there are labels alone."""
        labels = inputs["labels"]
        rows, columns = (labels != _IGNORED).nonzero(as_tuple=True)
        given = {key: inputs[key] for key in ("input_ids", "attention_mask")}
        if self._plain_head:
            _, hidden = output_head.hidden_states(model, rows, columns - 1, **given, use_cache=False)
            return packed_loss.of_hidden_states(self._base, hidden, labels[rows, columns])
        logits = model(**given, use_cache=False).logits
        at = rows.to(logits.device), columns.to(logits.device) - 1
        wanted = labels[rows, columns].to(logits.device)
        return torch.nn.functional.cross_entropy(logits[at].float(), wanted, reduction="sum")

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the seconds of training to each entry, those of the runs that this one goes on from included."""
        if self._before is None:
            self._before = max((entry["seconds"] for entry in self.state.log_history), default=0.0)
        super().log({**logs, "seconds": self._before + time.monotonic() - self._started}, start_time)


class ProgressCallback(TrainerCallback):
    """Shows progress, marks complete checkpoints, and stops between two steps."""

    def __init__(self, steps: int, show: bool) -> None:
        self.stopped = False
        self._bar = tqdm(total=steps, unit="step", desc="fine-tuning", mininterval=5, disable=not show)

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._bar.update(state.global_step - self._bar.n)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._bar.update(state.global_step - self._bar.n)
        if self.stopped:
            control.should_save = control.should_training_stop = True

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        logs = more["logs"]
        if "loss" in logs:
            questions = state.global_step * args.per_device_train_batch_size * args.gradient_accumulation_steps
            self._bar.set_postfix(loss=f"{logs['loss']:.3f}", questions=questions, refresh=False)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        mark_whole(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")

    def stop(self) -> None:
        """Stop after the current step, with a checkpoint."""
        self.stopped = True

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._bar.close()


def _adapted(network: Any, recipe: Recipe) -> PeftModel:
    """A network with a new adapter, whose layers take their input as autocast gives it."""
    adapted: PeftModel = get_peft_model(network, _lora(recipe, network))
    for module in adapted.modules():
        if hasattr(module, "lora_A"):
            # PEFT would convert every input to float32, and autocast at once back to bfloat16.
            module.cast_input_dtype_enabled = False  # type: ignore[assignment]
    adapter_layers.fuse(adapted)
    return adapted


def _lora(recipe: Recipe, network: Any) -> LoraConfig:
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=lora_targets.resolve(network, recipe.targets),
        task_type="CAUSAL_LM",
    )


def _arguments(
    model: LoadedModel, recipe: Recipe, seed: int, checkpoints: Path, micro: int, steps: int
) -> TrainingArguments:
    on_gpu = model.device.type == "cuda"
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=recipe.batch_size // micro,
        # The epochs are laid out in the data set, one after the other.
        num_train_epochs=1,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule if recipe.schedule != "constant" else "constant_with_warmup",
        warmup_steps=round(recipe.warmup * steps),
        weight_decay=recipe.weight_decay,
        activation_checkpointing=recipe.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False},
        max_grad_norm=recipe.max_grad_norm,
        seed=seed,
        full_determinism=on_gpu,
        bf16=model.network.dtype == torch.bfloat16,
        use_cpu=not on_gpu,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=recipe.checkpoint_steps,
        save_total_limit=1,
        disable_tqdm=True,
        report_to="none",
        remove_unused_columns=False,
        dataloader_pin_memory=on_gpu,
    )
    # One adapter, one GPU: with several in sight, Trainer would split the batch over them.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def _collate(batch: Sequence[Example]) -> dict[str, torch.Tensor]:
    ids = [torch.tensor(e.input_ids) for e in batch]
    return {
        "input_ids": pad_sequence(ids, batch_first=True),
        "attention_mask": pad_sequence([torch.ones_like(i) for i in ids], batch_first=True),
        "labels": pad_sequence([torch.tensor(e.labels) for e in batch], batch_first=True, padding_value=_IGNORED),
    }


def _curve(history: list[dict[str, float]], tokens: np.ndarray, batch_size: int) -> pd.DataFrame:
    rows = [entry for entry in history if "loss" in entry]
    done = [int(tokens[min(int(row["step"]) * batch_size, len(tokens)) - 1]) for row in rows]
    columns = ("step", "loss", "learning_rate", "grad_norm", "seconds")
    return pd.DataFrame({**{c: [row[c] for row in rows] for c in columns}, "tokens": done})


def _chunks(values: np.ndarray, size: int) -> list[np.ndarray]:
    return [values[i : i + size] for i in range(0, len(values), size)]
