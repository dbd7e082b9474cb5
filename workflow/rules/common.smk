# What all rules share: the validated configuration, every path, and how both reach a job. Nothing here depends on the
# working directory but the user's own files and results.
import os
import sys
from pathlib import Path

CHECKOUT = Path(str(workflow.current_basedir)).parents[1]
SCRIPTS = CHECKOUT / "workflow" / "scripts"
if not SCRIPTS.is_dir():
    raise SystemExit(f"error: {SCRIPTS} is not a folder: use the workflow from a local clone, not from a URL")

# A job finds its command through this variable: the shell text does not hold the checkout's place, so that a moved
# checkout reruns nothing. Every process of a run reads this file first, on a cluster's nodes too.
os.environ.update(NEURO2CARDIO_SCRIPTS=str(SCRIPTS))
# Jobs use the Python that runs Snakemake, whether its environment was activated or not; an environment of Snakemake's own
# (--sdm conda) still comes before it.
PYTHON_FOLDER = str(Path(sys.executable).parent)
if (Path(PYTHON_FOLDER) / "python").exists() and os.get_exec_path()[0] != PYTHON_FOLDER:
    os.environ.update(PATH=os.pathsep.join([PYTHON_FOLDER, *os.get_exec_path()]))
# Threads that wait for each other give up their core meanwhile. Where a node is shared, spinning costs several times the work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# A progress bar that is written to a log gets a line now and then, not ten each second.
os.environ.setdefault("TQDM_MININTERVAL", "10")
# No job asks anything of a person, and none but those that fetch asks the hub. Not where this is a module: it would hold
# for the other rules of that workflow, too.
if workflow.modifier.is_main_snakefile():
    # A prefix takes the place of Snakemake's own, which is its strict mode: without it, `| tee` hides that a job failed.
    shell.prefix("set -euo pipefail; export HUB_OFFLINE=${{HF_HUB_OFFLINE:-0}} HF_HUB_OFFLINE=1; exec < /dev/null; ")

sys.path.insert(0, str(SCRIPTS))

from neuro2cardio.config import job_settings, models, settings, yaml_files
from neuro2cardio.core import files, ontologies, provenance, specialties
from neuro2cardio.core.code_digest import code_digest
from neuro2cardio.core.errors import InputError, nearest

# The user's config.yaml, or else the one that ships. A --configfile replaces it: Snakemake would merge the two, and keys of
# one grid would leak into the other. A workflow that uses this one as a module hands over a configuration of its own.
SHIPPED_CONFIG = "config.yaml" if Path("config.yaml").exists() else str(CHECKOUT / "config.yaml")
GIVEN_CONFIG = workflow.modifier.skip_configfile


def stop(error):
    """End with a sentence for the user, and with nothing after it."""
    raise SystemExit(f"error: {error}")


try:
    for file in [] if GIVEN_CONFIG else workflow.overwrite_configfiles or [SHIPPED_CONFIG]:
        yaml_files.check(file)
except InputError as error:
    stop(error)

if not GIVEN_CONFIG and not workflow.overwrite_configfiles:

    configfile: SHIPPED_CONFIG


# What `snakemake compare --config runs=results/a,results/b` compares: no part of any run's configuration.
RUNS_GIVEN = config.pop("runs", [])
RUNS_TO_COMPARE = RUNS_GIVEN.split(",") if isinstance(RUNS_GIVEN, str) else RUNS_GIVEN
if "compare" in sys.argv and len(RUNS_TO_COMPARE) < 2:
    stop("compare needs two results folders or more: snakemake compare --config runs=results/a,results/b")

try:
    SETTINGS = settings.load(config)
except InputError as error:
    stop(error)

# Paths: what is fetched, shared by all experiments,
MODELS = "resources/models"
RECORD = f"{MODELS}/{{model}}/model.json"
ONTOLOGIES = "resources/ontologies"
RESPONSES = "resources/responses"
# what an experiment makes,
RESULTS = f"results/{SETTINGS.experiment}"
QUESTIONS = f"{RESULTS}/questions.parquet"
TRAIN_SETS = f"{RESULTS}/train_sets"
TEST_SPLIT = f"{RESULTS}/test_split"
PROBES = f"{RESULTS}/probes"
TERMS = f"{RESULTS}/terms"
ANNOTATION = f"{RESULTS}/annotation"
RELEASE = f"{ANNOTATION}/release"
ADAPTER = "{model}/{recipe}/{train_set}/seed-{seed}"
ADAPTERS = f"{RESULTS}/adapters"
PREDICTIONS = f"{RESULTS}/predictions"
TERM_LOGPROBS = f"{RESULTS}/term_logprobs"
TABLES = f"{RESULTS}/tables"
FIGURES = f"{RESULTS}/figures"
FIGURE = f"{FIGURES}/{{model}}/{{recipe}}/{{figure}}.{{format}}"
COLUMN_FIGURE = f"{FIGURES}/{{model}}/{{recipe}}/column/{{figure}}.{{format}}"
PLAN = f"{RESULTS}/plan"
# and what it keeps beside: finished work of jobs, their settings, logs and measurements.
JOB_CACHE = f"{RESULTS}/job_cache"
JOB_SETTINGS = f"{RESULTS}/settings"
LOGS = f"logs/{SETTINGS.experiment}"
BENCHMARKS = f"{RESULTS}/benchmarks"

DRY_RUN = workflow.output_settings.dryrun
USAGE = set(models.ModelUsage.model_fields)

ONLY_READS = DRY_RUN or any(word.startswith("--report") for word in sys.argv)

try:
    # Snakemake makes its own folder in a dry run, too.
    files.check_folder(".snakemake", writing=not Path(".snakemake").exists())
    for folder in (RESULTS, LOGS, MODELS, ONTOLOGIES, RESPONSES):
        files.check_folder(folder, writing=not ONLY_READS)
except InputError as error:
    stop(error)

METHODS = SETTINGS.inference.methods
SEEDS_TOGETHER = SETTINGS.inference.adapters_per_job == "seeds"
POSITIONED = [method for method in METHODS if method != "cloze"]


wildcard_constraints:
    model="|".join(SETTINGS.grid.models),
    recipe="|".join(SETTINGS.grid.recipes),
    train_set="|".join(SETTINGS.train_sets),
    seed=r"\d+",


# Rows beside the base model that others can be compared with.
REFERENCE_ROWS = SETTINGS.base_rows + SETTINGS.grid.controls
# The grid's tables.
TABLE_NAMES = [
    "transfer_matrix",
    "diagonal",
    "effects",
    "position_bias",
    "term_shift",
    "term_shift_grid",
    "placebo_balance",
    "training_checks",
    "answer_mass",
    *(["changes_against"] if REFERENCE_ROWS else []),
    *(["probes", "probe_facts"] if SETTINGS.dataset.probes else []),
    *(["dose"] if SETTINGS.dose_series else []),
    *(["base_prompts"] if SETTINGS.inference.base_prompts else []),
]


def settings_file(stage, values):
    """The file in which a job finds its settings, written here unless this is a dry run.

    Named by its content: as a parameter, it reruns exactly the jobs whose settings changed.
    """
    path = job_settings.path_for(JOB_SETTINGS, stage, values)
    if not DRY_RUN:
        job_settings.write(path, values)
    return str(path)


def job_settings_of(stage, **values):
    """The settings of all jobs of a stage, as a function for `params`."""
    plain = {k: v.model_dump(mode="json") if hasattr(v, "model_dump") else v for k, v in values.items()}
    return lambda wildcards: settings_file(stage, plain)


FIGURE_STYLE = provenance.text_digest(
    (SCRIPTS / "neuro2cardio/analysis/figures/neuro2cardio.mplstyle").read_text(encoding="utf-8")
)
"""The digest of code sees Python alone."""


def per_attempt(base):
    """A resource that grows with each attempt: what failed for want of memory or time gets more of it."""
    return lambda wildcards, attempt: base * attempt


def model_resource(key, times=1):
    """A resource of the model's entry in the registry, so many times, growing with each attempt."""
    return lambda wildcards, attempt: getattr(SETTINGS.models[wildcards.model].resources, key) * times * attempt


def adapters(pattern, **fixed):
    """Paths of a file over the grid's adapters, or the part of them that `fixed` names."""
    axes = {
        "model": SETTINGS.grid.models,
        "recipe": SETTINGS.grid.recipes,
        "train_set": SETTINGS.train_sets,
        "seed": SETTINGS.grid.seeds,
    }
    return expand(pattern, **{**axes, **fixed})


def adapter_outputs(**fixed):
    """All that is made of the grid's adapters, or of the part of them that `fixed` names, and of their base models."""
    tables = (PREDICTIONS, TERM_LOGPROBS)
    return [
        *expand(f"{RESULTS}/models/{{model}}.json", model=SETTINGS.grid.models),
        *expand("{table}/{model}/base.parquet", table=tables, model=SETTINGS.grid.models),
        *adapters(f"{ADAPTERS}/{ADAPTER}/adapter_model.safetensors", **fixed),
        *(path for table in tables for path in adapters(f"{table}/{ADAPTER}.parquet", **fixed)),
    ]


def in_one_job(pattern):
    """Paths of the adapters that one job scores: one of any seed, or those of all seeds of a train set."""
    return expand(pattern, seed=SETTINGS.grid.seeds, allow_missing=True) if SEEDS_TOGETHER else [pattern]


def base_row_predictions():
    """Predictions of the base models' rows that cost no training, where the configuration asks for them."""
    return expand(f"{PREDICTIONS}/{{model}}/{{row}}.parquet", model=SETTINGS.grid.models, row=SETTINGS.base_rows)


def probe_questions():
    """The input of a job that asks facts another way, where the configuration wants it."""
    return {"probes": f"{PROBES}/questions.parquet"} if SETTINGS.dataset.probes else {}


def probe_predictions(*adapters):
    """The output of such a job, for adapters or a base row named by their paths."""
    files = [f"{PROBES}/predictions/{adapter}.parquet" for adapter in adapters]
    return {"probe_predictions": files} if SETTINGS.dataset.probes else {}


def probe_arguments(*adapters):
    """What such a job is told."""
    given = {name: [path] for name, path in probe_questions().items()} | probe_predictions(*adapters)
    return " ".join(f"--{name.replace('_', '-')} {' '.join(paths)}" for name, paths in given.items())


def recipes_of_doses():
    """Recipes of the grid that differ from another one in their dose alone."""
    return [name for names in SETTINGS.dose_series.values() for name in names]


def probes_of_doses():
    """Probes and the answers to them, under those recipes."""
    if not SETTINGS.dataset.probes:
        return []
    return [
        f"{PROBES}/questions.parquet",
        *expand(f"{PROBES}/predictions/{{model}}/base.parquet", model=SETTINGS.grid.models),
        *adapters(f"{PROBES}/predictions/{ADAPTER}.parquet", recipe=recipes_of_doses()),
    ]


def smallest_dose():
    """The number of questions of each train set that every recipe trains on; None where each trains on all."""
    doses = [SETTINGS.recipes[name].train_size for name in SETTINGS.grid.recipes]
    return min((dose for dose in doses if dose), default=None)


def axes():
    """The axes of the grid. Files are read by them: neither stray ones, nor 600 paths on a command line."""
    return {
        "model": SETTINGS.grid.models,
        "recipe": SETTINGS.grid.recipes,
        "train_set": SETTINGS.train_sets,
        "seed": SETTINGS.grid.seeds,
        "specialty": SETTINGS.grid.specialties,
    }


def usage(model):
    """How a registry entry's model is used, whatever it asks of the cluster."""
    return SETTINGS.models[model].model_dump(mode="json", include=USAGE)


def folder_state(folder):
    """Sizes and times of the files of a local model; of other models, nothing."""
    return provenance.folder_state(folder) if folder else ""


def prompt_for(*forms):
    """The prompt's words that these forms use: a change of another form's words reruns nothing."""
    return SETTINGS.prompt.model_dump(mode="json", include={"system", "answer_cue", *forms})


def lexicon_sources():
    """The files a lexicon is built from."""
    if SETTINGS.terms.lexicon.backend == "json":
        return {"dictionary": SETTINGS.terms.lexicon.path}
    return {"hpo": f"{ONTOLOGIES}/hp.obo", "icd10cm": f"{ONTOLOGIES}/icd10cm.xml"}


def mappings_digest():
    """Digest of the supplement and the tables from branch to specialty: a change of any rebuilds the lexicon."""
    tables = sorted(ontologies.MAPPINGS.glob("*.tsv"))
    return provenance.text_digest(*map(provenance.sha256, tables))


def inference_settings():
    """How questions are answered, without what only says how the work is cut into jobs: it changes no number."""
    return SETTINGS.inference.model_dump(mode="json", exclude={"adapters_per_job", "base_prompts"})


def training_settings(model, recipe):
    """The settings of fine-tuning with a model and recipe."""
    return {
        "usage": usage(model),
        "prompt": prompt_for(SETTINGS.recipes[recipe].form),
        "recipe": SETTINGS.recipes[recipe].model_dump(mode="json"),
    }


def scoring_settings(model, base_shots=0):
    """What scoring one model depends on. Only the few-shot row depends on the number of worked examples."""
    return {
        "usage": usage(model),
        "prompt": prompt_for(*METHODS),
        "inference": inference_settings() | {"base_shots": base_shots},
        "terms": SETTINGS.terms.model_dump(mode="json", include={"contexts", "lowercase_bare"}),
    }


def prompt_choice_settings(model):
    """What the choice of a base model's wording depends on."""
    used = {"system", "answer_cue", *METHODS}
    return {
        "usage": usage(model),
        "prompts": [prompt.model_dump(mode="json", include=used) for prompt in SETTINGS.prompts],
        "inference": inference_settings() | {"base_shots": 0},
    }


def general_table():
    """The user's own table for the control `general`, where there is one."""
    table = SETTINGS.dataset.general
    return table.model_dump(mode="json") if table and "general" in SETTINGS.grid.controls else None


def general_digest():
    """Digest of what the control `general` is made from."""
    if "general" not in SETTINGS.grid.controls:
        return ""
    own = SETTINGS.dataset.general
    files = list(own.files.values()) if own else [SCRIPTS / "neuro2cardio" / "questions" / "general.tsv"]
    return provenance.text_digest(*map(provenance.sha256, files))


def page_settings(wildcards):
    """The grid's axes, and the configuration without what changes no result."""
    config = SETTINGS.model_dump(mode="json", exclude={"plan": True, "figures": True})
    del config["inference"]["adapters_per_job"]
    config["models"] = {name: {k: v for k, v in m.items() if k != "resources"} for name, m in config["models"].items()}
    return settings_file("report", {"axes": axes(), "config": config})


def page_assets():
    """Digest of the page's template, style and scripts."""
    folder = SCRIPTS / "neuro2cardio" / "report"
    return provenance.text_digest(
        *(provenance.sha256(folder / f"{n}") for n in ("page.html", "page.css", "page.js", "kit.js"))
    )


def figure_names():
    """File names, without suffix, of the figures that each model and recipe has."""
    kinds = {
        "transfer": METHODS,
        **{f"transfer-against-{reference}": METHODS for reference in SETTINGS.references},
        "diagonal": METHODS if len(SETTINGS.grid.specialties) > 1 else [],
        "position-bias": POSITIONED,
        "term-shift": SETTINGS.terms.contexts,
        "term-shift-grid": SETTINGS.terms.contexts,
        "probes": METHODS if SETTINGS.dataset.probes else [],
        "training": ["loss"],
    }
    return [f"{kind}-{variant}" for kind, variants in kinds.items() for variant in variants]


def report_table(name, caption):
    """A table of the grid that the report shows (workflow/report has the captions)."""
    return report(
        f"{TABLES}/{name}.csv",
        caption=f"../report/{caption}.rst",
        category="Tables",
        labels={"table": name.replace("_", " ")},
    )


def report_figure(name):
    """A figure in the first of the formats, which is the one that the report shows."""
    kind, variant = name.rsplit("-", 1)
    path = expand(FIGURE, figure=name, format=SETTINGS.figures.formats[0], allow_missing=True)
    caption = "transfer-against" if kind.startswith("transfer-against-") else kind
    return report(
        *path,
        caption=f"../report/{caption}.rst",
        category="Figures",
        subcategory="{model}, {recipe}",
        labels={"figure": kind.replace("-", " "), "variant": variant},
    )


def dose_figures(formats, column=""):
    """Figures of effects over the dose, where recipes of the grid differ in it alone."""
    wanted = METHODS if SETTINGS.dose_series else []
    path = f"{FIGURES}/{{model}}/{column}dose-{{method}}.{{format}}"
    return expand(path, model=SETTINGS.grid.models, method=wanted, format=formats)


def all_results():
    """Everything that the configuration asks for."""
    return [
        *expand(f"{TABLES}/{{table}}.csv", table=TABLE_NAMES),
        *expand(
            FIGURE,
            model=SETTINGS.grid.models,
            recipe=SETTINGS.grid.recipes,
            figure=figure_names(),
            format=SETTINGS.figures.formats,
        ),
        *dose_figures(SETTINGS.figures.formats),
        *expand(f"{FIGURES}/design.{{format}}", format=SETTINGS.figures.formats),
        f"{TABLES}/summary.txt",
        f"{TABLES}/questions.csv",
        f"{RESULTS}/report/index.html",
        f"{TERMS}/validity.csv",
    ]


def planned_questions():
    """The question table, except where it was not made yet and the source's published size will do."""
    origin, split = SETTINGS.dataset.origin, SETTINGS.dataset.split
    published = origin.source == "s-medqa" and origin.directory is None and split.made_from is None
    return [] if published and not Path(QUESTIONS).exists() else QUESTIONS


def plan_basis():
    """What a plan reads outside the DAG, where it is there: records of fetched models and costs of earlier runs."""
    records = [path for name in SETTINGS.grid.models if (path := Path(RECORD.format(model=name))).exists()]
    return records, sorted(Path("results").glob("*/plan/cost.csv"))


def benchmarks_digest():
    """Digest of the jobs that were measured so far, by which `cost` is made anew."""
    files = sorted(Path(BENCHMARKS).glob("*/**/*.tsv"))
    return provenance.text_digest(*(f"{path} {path.stat().st_mtime_ns}" for path in files))


def check_targets(prefix, known):
    """Name the nearest of a family of targets, where one is asked for that there is not."""
    for target in sys.argv[1:]:
        if target.startswith(prefix) and target.removeprefix(prefix) not in known:
            hint = nearest(target, [prefix + name for name in known])
            raise WorkflowError(f"there is no target {target!r}{hint}")
