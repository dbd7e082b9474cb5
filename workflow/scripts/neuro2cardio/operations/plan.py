"""Estimate the cost of a grid before any GPU is used: jobs, tokens, FLOPs, hours, memory and disk, by rule and model.

The arithmetic of decoder-only transformers: 2 FLOPs a parameter and token forward, and as many again backward through
frozen weights, for which no gradient is made (Kaplan et al. 2020, section 2.1, without its weight gradients).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median

import pandas as pd

from ..analysis import formatting, power
from ..config.dataset import Dataset
from ..config.inference import Method
from ..config.models import Model
from ..config.planning import Planning
from ..config.recipes import Recipe
from ..config.settings import Settings
from ..core import specialties
from ..core.errors import InputError
from ..questions import train_sets
from ..questions.sources import hpo
from . import memory
from .memory import Size

FORWARD, TRAINING = 2, 4
"""FLOPs per parameter and token: forward; forward and backward through frozen weights."""

CHARACTERS_PER_TOKEN = 4.0
TEMPLATE_TOKENS = 30
"""Added to a question by a chat template. With the line above, a question of S-MedQA has 258 tokens; counted: 254."""

GPU_SIZES = (16, 24, 40, 48, 80)
"""Memory of common GPUs in GB."""

RESERVED = 0.1
"""Share of a GPU's memory that CUDA's own context and fragments of free memory are taken to use."""

START_SECONDS = 10.0
"""Memory of each job before it loads weights: Snakemake, Python, PyTorch."""

LOAD_BYTES_PER_SECOND = 1e9

ADAPTER_BYTES = 4
"""Bytes on disk per parameter of an adapter, in float32. The job cache holds the same file under a second name."""

ANSWER_BYTES = 40
"""Bytes on disk of an answered question in one order, compressed."""

_FOUND = {
    power.OVER_ALL: "specialty knowledge over all",
    power.ONE: "one specialty's own adapter that stands out by a gain",
    power.CLAIM_1: "an own adapter that is better than every other by a lead",
}
"""Rows of `power.table` as a line of the plan words them."""


@dataclass(frozen=True)
class Lengths:
    """Number of questions, and their mean length in characters."""

    train: Mapping[str, int]
    """Train questions by train set, as the adapters see them."""
    test: int
    stem: float
    options: float
    """All options of a question together."""
    n_options: float
    basis: str
    """The source of the numbers, in words."""
    asked: tuple[int, ...] = ()
    """Test questions of each specialty, a question of several in each of them."""
    validation: int = 0


S_MEDQA_TRAIN = 7125
S_MEDQA_VALIDATION = dict(
    zip(specialties.SPECIALTIES, (94, 36, 54, 53, 90, 57, 71, 46, 79, 65, 40, 84, 62, 34, 34), strict=True)
)
"""Questions by specialty in the validation split; test has as many questions, and train is taken to have its shares."""


def known_lengths(settings: Settings) -> Lengths:
    """Lengths of a source whose size is published, before it was read. Raises `InputError` for other sources."""
    if settings.dataset.origin.source != "s-medqa" or settings.dataset.split.made_from is not None:
        raise InputError("the size of this source is not known beforehand; a plan needs its questions.parquet")
    test = {s: S_MEDQA_VALIDATION[s] for s in settings.grid.specialties}
    train = {s: S_MEDQA_TRAIN * n // sum(S_MEDQA_VALIDATION.values()) for s, n in test.items()}
    basis = "the published sizes of S-MedQA and the lengths of its validation split"
    asked = _test_sizes(test, settings.dataset)
    return Lengths(_train_sizes(train, settings), sum(asked), 741.0, 108.0, 4.0, basis, asked, sum(test.values()))


def measured_lengths(questions: pd.DataFrame, settings: Settings) -> Lengths:
    """Lengths of a question table (`tables.QUESTIONS`) and of the train sets made from it."""
    grid, test = settings.grid, questions[questions["split"] == "test"]
    train = train_sets.build(questions, grid.specialties, grid.controls, settings.dataset.train_size)
    return Lengths(
        {name: len(rows) for name, rows in train.items()},
        len(test),
        float(questions["stem"].str.len().mean()),
        float(questions["options"].map(lambda options: sum(map(len, options))).mean()),
        float(questions["options"].map(len).mean()),
        f"the lengths of {len(questions):,} questions",
        tuple(int(sum(s in held for held in test["specialties"])) for s in grid.specialties),
        int((questions["split"] == "validation").sum()),
    )


def _train_sizes(by_specialty: Mapping[str, int], settings: Settings) -> dict[str, int]:
    wanted = settings.dataset.train_size
    limit = wanted if isinstance(wanted, int) else (min if wanted == "matched" else max)(by_specialty.values())
    sizes = {specialties.slug(s): min(n, limit) for s, n in by_specialty.items()}
    return sizes | dict.fromkeys(settings.grid.controls, int(median(sizes.values())))


def _test_sizes(by_specialty: Mapping[str, int], dataset: Dataset) -> tuple[int, ...]:
    most = dataset.test_size
    return tuple(n if most is None else min(n, most) for n in by_specialty.values())


def plan(
    settings: Settings, lengths: Lengths, sizes: Mapping[str, Size], costs: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row per rule and model. Jobs without a model (questions, terms, tables) take CPU minutes and are left out.

    Columns: `jobs`; `tokens` and `flops` of all of them; `hours`, job start included; `gpus` of each job; `gpu_hours`;
    `gpu_memory_gb` of each GPU at the peak; `memory_gb` that each job asks for on the cluster (downloads run beside
    it); `disk_gb` of all outputs; `basis`, where a size comes from. ``costs`` (`cost.compare`) corrects hours by what
    such jobs took before.
    """
    table = pd.DataFrame(
        _row(name, work, settings.models[name], sizes[name], settings.plan)
        for name in settings.grid.models
        for work in _works(sizes[name], settings, lengths, settings.models[name])
    )
    return table if costs is None else calibrated(table, costs)


def calibrated(table: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Correct a plan's hours by the measured ratio of the same rule and model, if there is one."""
    ratio = costs.set_index(["rule", "model"])["ratio"].dropna()
    keys = pd.MultiIndex.from_frame(table[["rule", "model"]])
    factor = ratio.reindex(keys).to_numpy()
    known = pd.notna(factor)
    table = table.copy()
    table.loc[known, ["hours", "gpu_hours"]] = table.loc[known, ["hours", "gpu_hours"]].mul(factor[known], axis=0)
    table.loc[known, "basis"] += "; hours corrected by measured ones"
    return table


def training_tokens(recipe: Recipe, settings: Settings, lengths: Lengths) -> float:
    """Mean tokens of one train question with its answer."""
    answer = lengths.options / lengths.n_options / CHARACTERS_PER_TOKEN if recipe.form == "cloze" else 1
    return _posed(recipe.form, settings, lengths) + answer


def inference_tokens(settings: Settings, lengths: Lengths) -> float:
    """Mean tokens that go through the model for one test question in all methods and orders; its stem counts once."""
    stem = TEMPLATE_TOKENS + lengths.stem / CHARACTERS_PER_TOKEN
    rests = sum(_rests(method, settings, lengths) for method in settings.inference.methods)
    bare = lengths.stem / CHARACTERS_PER_TOKEN if "bare" in settings.terms.contexts else 0
    return stem + rests + bare


def probe_tokens(settings: Settings, lengths: Lengths) -> float:
    """Tokens of all probes under one adapter: `dataset.probes` facts trained on and as many others, in every form.

    A reversed probe asks for one of several definitions by a name: stem and options change places. No terms are read.
    """
    asked = _without_terms(settings)
    name = lengths.options / lengths.n_options
    swapped = replace(lengths, stem=name, options=lengths.stem * lengths.n_options)
    by_form = [swapped if form == hpo.REVERSED else lengths for form in hpo.FORMS]
    facts = 2 * settings.dataset.probes * len(settings.grid.specialties)
    return facts * sum(inference_tokens(asked, of_form) for of_form in by_form)


def _pass(settings: Settings, lengths: Lengths, shots: int = 0) -> tuple[float, float]:
    """Tokens, and tokens that are read, of a pass of scoring on a GPU that is as large as any."""
    together, budget = memory.QUESTIONS_AT_ONCE, settings.inference.batch_tokens or memory.GPU_BATCH_TOKENS
    one = inference_tokens(settings, lengths) * (1 + shots)
    questions = max(1.0, min(together, budget / one))
    read = len(settings.terms.contexts) * memory.TERMS * lengths.stem / CHARACTERS_PER_TOKEN
    for method in settings.inference.methods:
        read += lengths.options / CHARACTERS_PER_TOKEN if method == "cloze" else settings.inference.permutations
    return questions * one, questions * read


def _without_terms(settings: Settings) -> Settings:
    """The settings of a scoring that reads no terms, and so no stem by itself."""
    return settings.model_copy(update={"terms": settings.terms.model_copy(update={"contexts": ["prompt"]})})


def _posed(form: Method, settings: Settings, lengths: Lengths) -> float:
    return TEMPLATE_TOKENS + (lengths.stem + _after_stem(form, settings, lengths)) / CHARACTERS_PER_TOKEN


def _after_stem(form: Method, settings: Settings, lengths: Lengths) -> float:
    """Characters between stem and answer: the instruction and, where they are shown, the options with their letters."""
    shown = 0 if form == "cloze" else lengths.options + 4 * lengths.n_options
    return shown + len(getattr(settings.prompt, form))


def _rests(method: Method, settings: Settings, lengths: Lengths) -> float:
    if method == "cloze":
        return lengths.options / CHARACTERS_PER_TOKEN
    after = _after_stem(method, settings, lengths) / CHARACTERS_PER_TOKEN
    new = settings.inference.max_new_tokens if method == "generate" else 0
    return settings.inference.permutations * (after + new)


@dataclass(frozen=True)
class _Work:
    """All jobs of one rule for one model."""

    rule: str
    jobs: int
    tokens: float = 0
    passes: int = 0
    peak_bytes: float = 0
    disk_bytes: float = 0


def _works(model: Size, settings: Settings, lengths: Lengths, used: Model) -> list[_Work]:
    adapters = len(settings.train_sets) * len(settings.grid.seeds)
    recipes = [settings.recipes[name] for name in settings.grid.recipes]
    of_test = inference_tokens(settings, lengths) * lengths.test
    asked = of_test + probe_tokens(settings, lengths)
    probes = 2 * settings.dataset.probes * len(settings.grid.specialties) * len(hpo.FORMS)
    bytes_each = len(settings.inference.methods) * settings.inference.permutations * ANSWER_BYTES
    answers = (lengths.test + probes) * bytes_each
    shots = settings.inference.base_shots
    scoring = memory.scoring_bytes(model, used.load, *_pass(settings, lengths))
    few = memory.scoring_bytes(model, used.load, *_pass(settings, lengths, shots))
    peak = max(
        memory.training_bytes(model, recipe, training_tokens(recipe, settings, lengths), used.load)
        for recipe in recipes
    )
    n = adapters * len(recipes)
    # Each worked example is about as long as a question; probes are not asked after them.
    few_shot = [_Work("infer_few_shot", 1, of_test * (1 + shots), FORWARD, few, lengths.test * bytes_each)]
    wordings = len(settings.prompts)
    tried = inference_tokens(_without_terms(settings), lengths) * (wordings * lengths.validation + lengths.test)
    best_prompt = [_Work("infer_best_prompt", 1, tried, FORWARD, scoring, lengths.test * bytes_each)]
    return [
        _Work("fetch_model", 1, disk_bytes=2 * model.parameters),
        _Work(
            "finetune",
            adapters * len(recipes),
            sum(_train_set_tokens(recipe, settings, lengths) for recipe in recipes) * len(settings.grid.seeds),
            TRAINING,
            peak,
            adapters * sum(ADAPTER_BYTES * recipe.rank * model.lora_per_rank for recipe in recipes),
        ),
        _Work("infer_base", 1, asked, FORWARD, scoring, answers),
        *(few_shot if shots else []),
        *(best_prompt if wordings > 1 else []),
        _Work("infer_adapter", n // scored_together(settings), n * asked, FORWARD, scoring, n * answers),
    ]


def scored_together(settings: Settings) -> int:
    """How many adapters one job scores."""
    return len(settings.grid.seeds) if settings.inference.adapters_per_job == "seeds" else 1


def sharing(settings: Settings, sizes: Mapping[str, Size]) -> str:
    """What `inference.adapters_per_job` saves or could save, as a sentence; empty for a single seed."""
    grid = settings.grid
    seeds, recipes = len(grid.seeds), len(grid.recipes)
    if seeds == 1:
        return ""
    start = sum(START_SECONDS + 2 * sizes[name].parameters / LOAD_BYTES_PER_SECOND for name in grid.models)
    saved = len(settings.train_sets) * recipes * (seeds - 1) * start / 3600
    verb = "saves" if scored_together(settings) > 1 else "would save"
    return f"inference.adapters_per_job: seeds {verb} {_short(saved)} job-hours of starting jobs and loading weights."


def _train_set_tokens(recipe: Recipe, settings: Settings, lengths: Lengths) -> float:
    questions = sum(min(n, recipe.train_size or n) for n in lengths.train.values())
    return training_tokens(recipe, settings, lengths) * recipe.epochs * questions


def _row(name: str, work: _Work, model: Model, size: Size, rates: Planning) -> dict[str, object]:
    gpus = model.resources.gpu if work.tokens else 0
    flops = work.passes * size.parameters * work.tokens
    start = work.jobs * (START_SECONDS + 2 * size.parameters / LOAD_BYTES_PER_SECOND)
    # Of several GPUs, which hold a layer each, one computes at a time.
    tflops = rates.gpu_tflops if gpus else rates.cpu_tflops * model.resources.threads
    hours = (start + flops / 1e12 / tflops) / 3600
    return {
        "rule": work.rule,
        "model": name,
        "jobs": work.jobs,
        "tokens": round(work.tokens),
        "flops": flops,
        "hours": hours,
        "gpus": gpus,
        "gpu_hours": hours * gpus,
        "gpu_memory_gb": work.peak_bytes / 1e9 / gpus if gpus else 0.0,
        "memory_gb": model.resources.mem_mb / 1000 if work.tokens else 0.0,
        "disk_gb": work.disk_bytes / 1e9,
        "basis": size.basis,
    }


def summary(table: pd.DataFrame, lengths: Lengths) -> str:
    """The plan as text, for a terminal or a page."""
    shown = pd.DataFrame(
        {
            "rule": table["rule"],
            "model": table["model"],
            "jobs": table["jobs"],
            "Mtokens": table["tokens"].div(1e6).map(_short),
            "PFLOP": table["flops"].div(1e15).map(_short),
            "time": table["hours"].map(_duration),
            "GPU time": table["gpu_hours"].map(_duration),
            "GPU memory": table["gpu_memory_gb"].map(_short),
            "host memory asked for": table["memory_gb"].map(_short),
            "disk": table["disk_gb"].map(_short),
        }
    )
    total = table[["hours", "gpu_hours"]].sum().map(_duration)
    bases = "".join(f"{name}: {basis}.\n" for name, basis in table.groupby("model")["basis"].first().items())
    return (
        f"{shown.to_string(index=False)}\n\nTime is that of all jobs of a line together; memory and disk are in GB, "
        "memory that of one job.\n"
        f"{table['jobs'].sum()} jobs; {total['gpu_hours']} of GPU time and {total['hours']} of job time in all; "
        f"{_short(table['disk_gb'].sum())} GB of disk.\n"
        f"{gpu_sizes(table)}"
        f"From {lengths.basis}. Sizes of models:\n{bases}"
    )


def findable(settings: Settings, lengths: Lengths) -> str:
    """What a grid of this size can find with 80%, as one line: the first rows of `power.table`."""
    if 0 in lengths.asked or len(lengths.asked) < 2:
        return "Fewer than two specialties with test questions: nothing can be said about specialty knowledge.\n"
    statistics, given = settings.statistics, power.Assumptions()
    rows = power.table(
        lengths.asked, len(settings.grid.seeds), 1, statistics.smallest_effect, given, statistics.confidence
    ).set_index("statement")["found"]
    said = [f"{words} of {rows[name]:.1f} points" for name, words in _FOUND.items() if name in rows]
    return (
        f"What {len(lengths.asked)} specialties of {formatting.span(lengths.asked)} test questions find with 80%: "
        f"{'; '.join(said)} (more, and after a pilot nearer: snakemake power --cores 1).\n"
    )


def gpu_sizes(table: pd.DataFrame) -> str:
    """The GPUs that hold each model of a plan, one line each; nothing for models that compute on the CPU."""
    lines = []
    for model, (needed, gpus) in table.groupby("model", sort=False)[["gpu_memory_gb", "gpus"]].max().iterrows():
        if needed == 0:
            continue
        enough = [size for size in GPU_SIZES if needed <= size * (1 - RESERVED)]
        on_each, count = (f" on each of {gpus:.0f} GPUs", f"{gpus:.0f} ") if gpus > 1 else ("", "")
        lines.append(
            f"{model}: {_short(needed)} GB of GPU memory at the peak{on_each}; "
            + (
                f"{count}GPUs of {', '.join(map(str, enough))} GB will do.\n"
                if enough
                else f"fits no GPU of up to {GPU_SIZES[-1]} GB: set load: 4bit, spread it over more of them "
                "(resources.gpu), or lower the recipe's micro_batch_size.\n"
            )
        )
    return "".join(lines)


def _duration(hours: float) -> str:
    """Hours, minutes or seconds, whichever is readable, and a dash for none."""
    for unit, length in (("h", 1.0), ("min", 1 / 60)):
        if hours >= length:
            return f"{_short(hours / length)} {unit}"
    return f"{hours * 3600:.0f} s" if hours else "-"


def _short(value: float) -> str:
    """Three significant digits, and a dash for a missing value."""
    if value == 0:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
