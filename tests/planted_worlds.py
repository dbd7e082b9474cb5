"""Worlds of made-up medicine, small enough to be learned: what is true of specialties in them is known.

A question names one finding among other words, and asks for its cause among four. A tiny model, pre-trained once, knows
the causes of some findings and nothing of the others; and it says `unclear` most of the time, whatever it is asked.
Adapters are trained on it and scored as those of any other model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tokenizers import Tokenizer, models, pre_tokenizers
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from neuro2cardio.analysis import adapter_checks, answers, effect_tables, transfer, verdict
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.config.terms import TermReading
from neuro2cardio.core import files, tables
from neuro2cardio.core.adapters import Adapter, Axes
from neuro2cardio.core.base_rows import BASE
from neuro2cardio.core.specialties import SPECIALTIES, slug
from neuro2cardio.models import adapter_files, fine_tuning, registry, scoring
from neuro2cardio.models.prompting import Prompter, Question, questions_of
from neuro2cardio.questions import general, train_sets
from neuro2cardio.questions.sources import RawQuestion
from neuro2cardio.questions.test_set import TestSet

NAMES = list(SPECIALTIES[:5])
CONTROLS = ["shuffled-answers", "general"]
KNOWN, UNKNOWN, CAUSES = 350, 200, 24
"""Findings whose causes the base model knows and does not know, and how many causes there are."""
FORM_TRAIN, TEST = 90, 40
"""Questions of each specialty: train questions where the form is learned, and test questions."""
MANY = 200
"""Test questions of each specialty where the absence of knowledge is to be seen."""
UNCLEAR = "unclear"
WINDOW = 64
STEPS = 600
"""Of pre-training."""
NO_TERMS = pd.DataFrame(columns=["seed", "measure", "context", "scope", "model", "recipe", "train_set", "group", "low"])
WORDS = {"known": KNOWN, "finding": UNKNOWN, "cause": CAUSES, "noun": 40, "filler": 12}
RECIPE = Recipe(
    loss="completion",
    form="cloze",
    rank=8,
    alpha=16,
    learning_rate=1e-2,
    epochs=10,
    batch_size=15,
    micro_batch_size=15,
    checkpoint_steps=10_000,
)
INFERENCE = Inference(methods=["cloze"], permutations=1)


def known_cause(finding: int) -> int:
    """The cause that the base model learned."""
    return (finding * 7 + finding // CAUSES) % CAUSES


@dataclass(frozen=True)
class Asked:
    """One question before it is put into words."""

    finding: str
    cause: int
    specialty: str
    split: str
    unclear: bool = False


def only_itself(rng: np.random.Generator) -> list[Asked]:
    """Every specialty has findings of its own, of which the base model knows nothing."""
    cause = rng.integers(0, CAUSES, UNKNOWN)
    found = []
    for i, name in enumerate(NAMES):
        own = [f"finding{TEST * i + j}" for j in range(TEST)]
        found += [Asked(own[j], cause[TEST * i + j], name, "train") for j in range(TEST)]
        found += [Asked(own[j], cause[TEST * i + j], name, "test") for j in range(TEST)]
    return found


def only_form(rng: np.random.Generator) -> list[Asked]:
    """The base model knows every cause, and calls it unclear where it may: what is learned is not to say so."""
    order, found = rng.permutation(KNOWN), []
    for i, name in enumerate(NAMES):
        for k in rng.permutation(order[len(NAMES) * TEST :])[:FORM_TRAIN]:
            found.append(Asked(f"known{k}", known_cause(int(k)), name, "train"))
        for j, k in enumerate(order[i * TEST : (i + 1) * TEST]):
            found.append(Asked(f"known{k}", known_cause(int(k)), name, "test", unclear=j % 2 == 0))
    return found


def medicine(rng: np.random.Generator, wrong: tuple[float, ...] = (0,) * len(NAMES)) -> list[Asked]:
    """All specialties ask for the same findings, some with wrong answers in their train questions."""
    cause = rng.integers(0, CAUSES, TEST)
    found = []
    for name, share in zip(NAMES, wrong, strict=True):
        for j in range(TEST):
            learned = int(rng.integers(CAUSES)) if rng.random() < share else int(cause[j])
            found.append(Asked(f"finding{j}", learned, name, "train"))
            found.append(Asked(f"finding{j}", int(cause[j]), name, "test"))
    return found


def nothing(rng: np.random.Generator) -> list[Asked]:
    """What is learned is never asked."""
    cause, own = rng.integers(0, CAUSES, UNKNOWN), UNKNOWN // len(NAMES)
    return [
        Asked(f"finding{k}", cause[k], NAMES[k // own], "train" if k % own < own // 2 else "test")
        for k in range(UNKNOWN)
    ]


def known_already(rng: np.random.Generator) -> list[Asked]:
    """The base model knows what is learned, and all but one in fifty of what is asked: there is nothing to gain."""
    order, own, found = rng.permutation(KNOWN), KNOWN // len(NAMES), []
    for i, name in enumerate(NAMES):
        known = [int(k) for k in order[i * own : (i + 1) * own]]
        found += [Asked(f"known{k}", known_cause(k), name, "train") for k in known[:20]]
        asked = [known[20 + j % (own - 20)] for j in range(MANY - MANY // 50)]
        found += [Asked(f"known{k}", known_cause(k), name, "test") for k in asked]
        unknown = rng.integers(0, UNKNOWN, MANY // 50)
        found += [Asked(f"finding{k}", int(rng.integers(CAUSES)), name, "test") for k in unknown]
    return found


@dataclass(frozen=True)
class World:
    """What is asked, which answers of the verdict are right, and for how many epochs adapters learn."""

    ask: Callable[[np.random.Generator], list[Asked]]
    right: Callable[[str], bool]
    epochs: int = 10


WORLDS = {
    "knowledge of the own specialty": World(only_itself, lambda answer: answer == verdict.SPECIALTY_KNOWLEDGE),
    # One look at each question is enough to learn a form, and too little to learn wrong answers by heart.
    "form alone": World(only_form, lambda answer: answer == verdict.FORMAT, epochs=1),
    "medicine in general": World(medicine, lambda answer: answer == verdict.NOT_FORMAT),
    "train sets of different quality": World(
        partial(medicine, wrong=(0.0, 0.25, 0.5, 0.75, 1.0)), lambda answer: answer != verdict.SPECIALTY_KNOWLEDGE
    ),
    "nothing": World(nothing, lambda answer: answer == verdict.UNDECIDED or answer.endswith("(equivalent)")),
    # Questions enough to say that there is none.
    "all is known already": World(known_already, lambda answer: answer.endswith("(equivalent)")),
}


def questions(asked: list[Asked], rng: np.random.Generator) -> pd.DataFrame:
    """Rows of `tables.QUESTIONS`."""
    rows = []
    for i, a in enumerate(asked):
        others = rng.permutation(np.delete(np.arange(CAUSES), a.cause))[:3]
        wrong = [f"cause{c}" for c in others]
        if a.unclear:
            wrong[0] = UNCLEAR
        options = list(rng.permutation([f"cause{a.cause}", *wrong]))
        key = f"{rng.integers(2**48):012x}"
        answer = options.index(f"cause{a.cause}")
        stem = _stem(a.finding, rng)
        rows.append([key, a.split, "made up", str(i), stem, options, answer, a.specialty, [a.specialty], []])
    return pd.DataFrame(rows, columns=tables.QUESTIONS.names)


def general_questions(n: int) -> pd.DataFrame:
    """Questions without medicine, posed alike."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n):
        drawn = rng.permutation(40)[:4]
        stem = _stem(f"noun{i % 40}", rng)
        rows.append(RawQuestion(str(i), "train", stem, tuple(f"noun{k}" for k in drawn), 0, ("General",)))
    return general.of_table(rows, n)


def _stem(finding: str, rng: np.random.Generator) -> str:
    before, behind = rng.integers(0, WORDS["filler"], 2)
    return f"filler{before} {finding} filler{behind}"


def said(base: Path, world: World, draw: int, folder: Path, statistics: Statistics) -> dict[str, Any]:
    """The verdict of a grid of one adapter of each specialty and control, trained and scored in this world."""
    rng = np.random.default_rng(draw)
    table = questions(world.ask(rng), rng)
    axes = Axes(model=["m"], recipe=["r"], train_set=[*map(slug, NAMES), *CONTROLS], seed=[draw + 1], specialty=NAMES)
    test_set = TestSet.of(table, NAMES)
    test = questions_of(table[table["split"] == "test"])
    sets = train_sets.build(table, NAMES, CONTROLS, "matched", general_questions)
    marks, answered, trained = {}, [], []
    for adapter in axes.everything():
        model = registry.load(base, "float32", 1)
        if adapter.recipe != BASE:
            learned = questions_of(sets[adapter.train_set])
            trained.append(_train(model, learned, adapter, world.epochs, folder / adapter.train_set))
            model = registry.with_adapter(registry.load(base, "float32", 1), folder / adapter.train_set)
        scorer = scoring.Scorer(model, _prompter(model), INFERENCE, TermReading(contexts=["prompt"]))
        predictions = scorer.score(test, {}).predictions.assign(**adapter._asdict())
        given = answers.answers(predictions)
        marks[adapter] = answers.marks(given, test_set, INFERENCE.methods)
        answered.append(adapter_checks.of_answers(predictions, given, test_set))
    blocks = transfer.scores(marks, axes, INFERENCE.methods)
    return verdict.verdict(
        effect_tables.effects_table(blocks, axes, test_set, statistics),
        effect_tables.diagonal(blocks, axes, test_set, statistics),
        NO_TERMS,
        adapter_checks.table(answered, trained),
        statistics,
        "prompt",
        "strict",
    )


def _train(
    model: registry.LoadedModel, learned: list[Question], adapter: Adapter, epochs: int, folder: Path
) -> dict[str, Any]:
    """Train one adapter into a folder, and return the columns of its training."""
    recipe = RECIPE.model_copy(update={"epochs": epochs})
    examples = fine_tuning.examples(_prompter(model), learned, recipe)
    trained = fine_tuning.train(model, examples, recipe, adapter.seed, folder / "checkpoints", show=False)
    fine_tuning.save_adapter(trained.network, folder, "tiny")
    files.write_json(folder / "run.json", {**trained.record, **adapter_files.digests(folder)})
    return adapter_checks.of_training(adapter, trained.curve, trained.record)


def _prompter(model: registry.LoadedModel) -> Prompter:
    return Prompter(model.tokenizer, Prompt(), WINDOW)


def pretrained(folder: Path) -> Path:
    """A tiny model that knows the causes of some findings, and says `unclear` six times of ten."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    words = ["<unk>", "<s>", "</s>", "Answer:", UNCLEAR]
    words += [f"{kind}{i}" for kind, n in WORDS.items() for i in range(n)]
    at = {word: i for i, word in enumerate(words)}
    _tokenizer(at).save_pretrained(folder)
    network = _network(len(words))
    rng = np.random.default_rng(0)
    optimizer = torch.optim.AdamW(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=STEPS)
    for _ in range(STEPS):
        ids = torch.tensor(_texts(at, rng))
        logits = network(input_ids=ids).logits[:, 3:5]
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, len(words)), ids[:, 4:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.save_pretrained(folder)
    return folder


def _texts(at: dict[str, int], rng: np.random.Generator, n: int = 256) -> np.ndarray:
    """(texts, tokens) questions with their answers, to pre-train on."""
    k, filler = rng.integers(0, KNOWN, n), rng.integers(0, WORDS["filler"], (2, n))
    knows = rng.random(n) < 0.7
    finding = np.where(knows, at["known0"] + k, at["finding0"] + rng.integers(0, UNKNOWN, n))
    cause = np.where(knows, known_cause(k), rng.integers(0, CAUSES, n)) + at["cause0"]
    answer = np.where(rng.random(n) < 0.6, at[UNCLEAR], cause)
    before, behind = at["filler0"] + filler
    return np.stack([before, finding, behind, np.full(n, at["Answer:"]), answer, np.full(n, at["</s>"])], axis=1)


def _tokenizer(at: dict[str, int]) -> PreTrainedTokenizerFast:
    made = Tokenizer(models.WordLevel(at, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", eos_token="</s>")


def _network(vocabulary: int) -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=WINDOW,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=None,
        )
    )
