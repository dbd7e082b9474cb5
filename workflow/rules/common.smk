# What every rule shares: the validated configuration, paths, and how both reach a job.
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

from neuro2cardio import provenance, settings, specialties
from neuro2cardio.errors import InputError

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
