# What all rules share: the validated configuration, paths, and how both reach a job.
import os
import sys
from pathlib import Path

# Threads that wait for each other give up their core meanwhile. Where a node is shared, spinning costs several times the work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# No job asks anything of a person, and none but those that fetch asks the hub.
shell.prefix("export HUB_OFFLINE=${{HF_HUB_OFFLINE:-0}} HF_HUB_OFFLINE=1; exec < /dev/null; ")

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

from neuro2cardio.config import models, settings, yaml_files
from neuro2cardio.core import provenance, specialties
from neuro2cardio.core.errors import InputError

try:
    for file in workflow.overwrite_configfiles or ["config.yaml"]:
        yaml_files.check(file)
except InputError as error:
    raise WorkflowError(str(error))

# A --configfile replaces config.yaml. Snakemake would merge the two, and keys of one grid would leak into the other.
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


try:
    SETTINGS = settings.load(config)
except InputError as error:
    raise WorkflowError(str(error))

RESULTS = f"results/{SETTINGS.experiment}"
LOGS = f"logs/{SETTINGS.experiment}"
BENCHMARKS = f"{RESULTS}/benchmarks"
SCRIPTS = f"{workflow.basedir}/workflow/scripts"
USAGE = set(models.Usage.model_fields)
ADAPTER = "{model}/{recipe}/{train_set}/seed-{seed}"


wildcard_constraints:
    model="|".join(SETTINGS.grid.models),
    recipe="|".join(SETTINGS.grid.recipes),
    train_set="|".join(SETTINGS.train_sets),
    seed=r"\d+",


def part(**values):
    """Canonical JSON of the part of the configuration that a job uses: the only way it reaches a job."""
    return settings.canonical_json(
        {k: v.model_dump(mode="json") if hasattr(v, "model_dump") else v for k, v in values.items()}
    )


def code(*modules):
    """Digest of the library modules a stage uses; as a parameter, it makes jobs rerun when what they say changes."""
    return provenance.code_digest(*modules)


def grow(base):
    """A resource that grows with each attempt: what failed for want of memory or time gets more of it."""
    return lambda wildcards, attempt: base * attempt


def model_resource(key):
    """A resource of the model's entry in the registry, growing with each attempt."""
    return lambda wildcards, attempt: getattr(SETTINGS.models[wildcards.model].resources, key) * attempt


def adapters(pattern, **fixed):
    """Paths of a file over the grid's adapters, or the part of them that `fixed` names."""
    axes = {
        "model": SETTINGS.grid.models,
        "recipe": SETTINGS.grid.recipes,
        "train_set": SETTINGS.train_sets,
        "seed": SETTINGS.grid.seeds,
    }
    return expand(pattern, **{**axes, **fixed})


def lexicon_sources():
    """The files a lexicon is built from."""
    if SETTINGS.terms.lexicon.backend == "json":
        return {"dictionary": SETTINGS.terms.lexicon.path}
    return {
        "hpo": "resources/ontologies/hp.obo",
        "icd10cm": "resources/ontologies/icd10cm.xml",
    }


def mappings():
    """Digest of the supplement and the tables from branch to specialty: a change of any rebuilds the lexicon."""
    tables = sorted((Path(SCRIPTS) / "neuro2cardio" / "core" / "mappings").glob("*.tsv"))
    return provenance.text_digest(*map(provenance.sha256, tables))


def usage(model):
    """How a registry entry's model is used, whatever it asks of the cluster."""
    return SETTINGS.models[model].model_dump(mode="json", include=USAGE)


def adapter_key(wildcards):
    """Which adapter a job makes or reads: written into its files, and compared when they are read."""
    names = {axis: wildcards[axis] for axis in ("model", "recipe", "train_set")}
    return part(**names, seed=int(wildcards.seed))


def folder_state(folder):
    """Sizes and times of the files of a local model; of other models, nothing."""
    return provenance.folder_state(folder) if folder else ""


def prompt_for(*forms):
    """The prompt's words that these forms use: a change of another form's words reruns nothing."""
    return SETTINGS.prompt.model_dump(mode="json", include={"system", "answer_cue", *forms})


def scoring_settings(model):
    """What scoring one model depends on."""
    return part(
        usage=usage(model),
        prompt=prompt_for(*SETTINGS.inference.methods),
        inference=SETTINGS.inference,
        terms=SETTINGS.terms.model_dump(mode="json", include={"contexts", "lowercase_bare"}),
    )


def axes():
    """What is crossed with what. Files are read by it: neither stray ones, nor 600 paths on a command line."""
    return {
        "model": SETTINGS.grid.models,
        "recipe": SETTINGS.grid.recipes,
        "train_set": SETTINGS.train_sets,
        "seed": SETTINGS.grid.seeds,
        "specialty": SETTINGS.grid.specialties,
    }


def figure_names():
    """File names, without suffix, of the figures that each model and recipe has."""
    kinds = {
        "transfer": METHODS,
        "diagonal": METHODS if len(SETTINGS.grid.specialties) > 1 else [],
        "position-bias": POSITIONED,
        "term-shift": SETTINGS.terms.contexts,
        "term-shift-grid": SETTINGS.terms.contexts,
        "training": ["loss"],
    }
    return [f"{kind}-{variant}" for kind, variants in kinds.items() for variant in variants]


def all_results():
    """Everything that the configuration asks for."""
    tables = ["transfer_matrix", "diagonal", "position_bias", "term_shift", "term_shift_grid", "placebo_balance"]
    tables += ["training_checks", "answer_mass"]
    return [
        *expand(f"{TABLES}/{{table}}.csv", table=tables),
        *expand(
            FIGURE,
            model=SETTINGS.grid.models,
            recipe=SETTINGS.grid.recipes,
            figure=figure_names(),
            format=SETTINGS.figures.formats,
        ),
        f"{TABLES}/summary.txt",
        f"{RESULTS}/terms/validity.csv",
    ]


def planned_questions():
    """The question table, except where it was not made yet and the source's published size will do."""
    origin, split = SETTINGS.dataset.origin, SETTINGS.dataset.split
    published = origin.source == "s-medqa" and origin.directory is None and split.made_from is None
    return [] if published and not Path(QUESTIONS).exists() else QUESTIONS


def seen():
    """What a plan reads outside the DAG, where it is there: sizes of fetched models and costs of earlier runs."""
    models = [path for name in SETTINGS.grid.models if (path := Path(f"resources/models/{name}/model.json")).exists()]
    return models, sorted(Path("results").glob("*/plan/cost.csv"))


def ran():
    """Digest of the jobs that were measured so far, by which `cost` is made anew."""
    files = sorted(Path(BENCHMARKS).glob("*/**/*.tsv"))
    return provenance.text_digest(*(f"{path} {path.stat().st_mtime_ns}" for path in files))


def responses():
    """Where responses are kept: by model, over all experiments, outside of what Snakemake deletes."""
    return f"resources/responses/{re.sub('[^A-Za-z0-9.]+', '-', ANNOTATOR.model).strip('-')}.jsonl"


def annotator_files():
    """The files that the annotator is made of."""
    if ANNOTATOR.backend == "transformers":
        return {"record": f"resources/models/{ANNOTATOR.model}/model.json"}
    if ANNOTATOR.backend == "lexicon":
        return {"lexicon": f"{RESULTS}/terms/lexicon.parquet"}
    return {}


def annotator_options():
    """The same, as options of the command, and where it keeps what it has."""
    if ANNOTATOR.backend == "openai":
        return f"--responses {responses()}"
    parts = f" --parts {RESULTS}/annotation/parts" if ANNOTATOR.backend == "transformers" else ""
    return " ".join(f"--{name} {path}" for name, path in annotator_files().items()) + parts


def prompt_files():
    """The words that a model is asked in. The lexicon is not asked."""
    if ANNOTATOR.backend == "lexicon":
        return []
    own = Path("workflow/scripts/neuro2cardio/annotation/prompts")
    return sorted(map(str, (SETTINGS.dataset.annotation.prompts or own).glob("*.txt")))


def annotator_settings():
    """What the answers depend on. Limits on requests and money are passed on too: they decide how far a run gets."""
    chosen = SETTINGS.dataset.annotation.model_dump(mode="json", include={"annotator", "prompts", "candidates"})
    if ANNOTATOR.backend == "transformers":
        return part(annotation=chosen, usage=usage(ANNOTATOR.model))
    if ANNOTATOR.backend == "lexicon":
        return part(annotation=chosen, terms=SETTINGS.terms)
    return part(annotation=chosen)


def annotator_resource(key, otherwise):
    """What a registered model asks for to score questions; little for the others."""
    if ANNOTATOR.backend == "transformers":
        return lambda wildcards, attempt: getattr(SETTINGS.models[ANNOTATOR.model].resources, key) * attempt
    return grow(otherwise)


def scored(**fixed):
    """All that is made of the grid's adapters, or of the part of them that `fixed` names, and of their base models."""
    tables = ("predictions", "term_logprobs")
    return [
        *expand(f"{RESULTS}/models/{{model}}.json", model=SETTINGS.grid.models),
        *expand(f"{RESULTS}/{{table}}/{{model}}/base.parquet", table=tables, model=SETTINGS.grid.models),
        *adapters(f"{RESULTS}/adapters/{ADAPTER}/adapter_model.safetensors", **fixed),
        *(path for table in tables for path in adapters(f"{RESULTS}/{table}/{ADAPTER}.parquet", **fixed)),
    ]
