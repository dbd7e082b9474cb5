# Giving questions their specialties, where the source has none: annotate -> vote -> verify -> calibrate -> release.
# Experts come before calibration: without specialties in the source, theirs are what is calibrated on.

UNLABELLED = SETTINGS.dataset.model_dump(
    mode="json", include={"origin", "further_specialties", "split", "leakage", "max_rejected"}
)
RELEASED = list(SETTINGS.dataset.all_specialties)


rule unlabelled:
    """Check the questions of the source, whatever their specialties."""
    input:
        list(map(str, QUESTION_FILES.values())),
    output:
        questions=f"{ANNOTATION}/questions.parquet",
        rejected=f"{ANNOTATION}/rejected.csv",
    log:
        f"{LOGS}/annotation/unlabelled.log",
    benchmark:
        f"{BENCHMARKS}/annotation/unlabelled.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(20),
    params:
        settings=job_settings_of(
            "unlabelled", dataset=UNLABELLED, max_questions=SETTINGS.dataset.annotation.max_questions
        ),
        code=code_digest("unlabelled"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/unlabelled.py --settings {params.settings:q} --out {output.questions:q}'
        " --rejected {output.rejected:q} > {log:q} 2>&1"


rule annotation_estimate:
    """Say how many requests and tokens are left and what they would cost. Send nothing."""
    input:
        questions=rules.unlabelled.output.questions,
        prompts=prompt_files(),
    output:
        f"{ANNOTATION}/estimate.txt",
    log:
        f"{LOGS}/annotation/estimate.log",
    benchmark:
        f"{BENCHMARKS}/annotation/estimate.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        settings=annotator_settings(),
        options=annotator_options() if ANNOTATOR.backend == "openai" else "",
        prompts=prompts_digest(),
        code=code_digest("annotate"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/annotate.py --estimate --settings {params.settings:q} {params.options}'
        " --questions {input.questions:q} --out {output:q} 2>&1 | tee {log:q}"


# A server is asked from beside Snakemake: cluster nodes have no internet. What was answered is kept, whatever becomes of
# this job. A model scores as a GPU job, under a name of its own, by which a profile sends it to the partition with the GPUs.
rule:
    """Ask the annotator for the specialty of every question, in five ways."""
    name:
        "annotate_with_model" if ANNOTATOR.backend == "transformers" else "annotate"
    input:
        **annotator_files(),
        questions=rules.unlabelled.output.questions,
        prompts=prompt_files(),
    output:
        f"{ANNOTATION}/answers.parquet",
    log:
        f"{LOGS}/annotation/annotate.log",
    benchmark:
        f"{BENCHMARKS}/annotation/annotate.tsv"
    localrule: ANNOTATOR.backend == "openai"
    conda:
        {
            "openai": "../../envs/analysis.yaml",
            "transformers": "../../envs/gpu.yaml",
            "lexicon": "../../envs/terms.yaml",
        }[ANNOTATOR.backend]
    threads: SETTINGS.models[ANNOTATOR.model].resources.threads if ANNOTATOR.backend == "transformers" else 1
    resources:
        gpu=SETTINGS.models[ANNOTATOR.model].resources.gpu if ANNOTATOR.backend == "transformers" else 0,
        mem_mb=annotator_resource("mem_mb", 4000),
        runtime=annotator_resource("infer_minutes", 600),
    params:
        settings=annotator_settings(),
        options=annotator_options(),
        prompts=prompts_digest(),
        code=code_digest("annotate"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/annotate.py --settings {params.settings:q} {params.options}'
        " --questions {input.questions:q} --threads {threads} --gpus {resources.gpu} --out {output:q} > {log:q} 2>&1"


rule vote:
    """Count the votes."""
    input:
        f"{ANNOTATION}/answers.parquet",
    output:
        votes=f"{ANNOTATION}/votes.parquet",
        status=f"{ANNOTATION}/status.csv",
        problems=f"{ANNOTATION}/problems.csv",
        agreement=f"{ANNOTATION}/agreement.csv",
    log:
        f"{LOGS}/annotation/vote.log",
    benchmark:
        f"{BENCHMARKS}/annotation/vote.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        settings=job_settings_of("vote", quorum=SETTINGS.dataset.annotation.quorum, specialties=RELEASED),
        code=code_digest("vote"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/vote.py --settings {params.settings:q} --answers {input:q} --out {output.votes:q}'
        " --status {output.status:q} --problems {output.problems:q} --agreement {output.agreement:q} > {log:q} 2>&1"


rule verify:
    """Hand out a sample to experts, and read back the sheets that the configuration names."""
    input:
        questions=rules.unlabelled.output.questions,
        votes=rules.vote.output.votes,
        sheets=[str(path) for path in SETTINGS.dataset.annotation.verification.experts.values()],
    output:
        handed_out=expand(
            f"{ANNOTATION}/verification/{{name}}",
            name=["sheet.csv", "label-studio/tasks.json", "label-studio/config.xml"],
        ),
        verdicts=f"{ANNOTATION}/verification/trail.csv",
        trail=f"{ANNOTATION}/verification/trail.parquet",
        agreement=f"{ANNOTATION}/verification/agreement.csv",
    log:
        f"{LOGS}/annotation/verify.log",
    benchmark:
        f"{BENCHMARKS}/annotation/verify.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        settings=job_settings_of(
            "verify",
            candidates=CANDIDATES,
            verification=SETTINGS.dataset.annotation.verification,
            own_names=SETTINGS.dataset.own_names(),
        ),
        folder=lambda wildcards, output: Path(output.trail).parent,
        code=code_digest("verify"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/verify.py --settings {params.settings:q} --questions {input.questions:q}'
        " --votes {input.votes:q} --out {params.folder:q} > {log:q} 2>&1"


rule calibrate:
    """Measure the votes against the truth, as far as it is known, and calibrate the sets of specialties."""
    input:
        questions=rules.unlabelled.output.questions,
        votes=rules.vote.output.votes,
        trail=rules.verify.output.trail,
    output:
        sets=f"{ANNOTATION}/sets.parquet",
        tables=expand(f"{ANNOTATION}/{{name}}.csv", name=["quorum", "confusion", "conformal"]),
        figures=[
            *expand(f"{ANNOTATION}/figures/quorum.{{format}}", format=SETTINGS.figures.formats[1:]),
            report(
                f"{ANNOTATION}/figures/quorum.{SETTINGS.figures.formats[0]}",
                caption="../report/quorum.rst",
                category="Annotation",
                labels={"figure": "quorum"},
            ),
        ],
    log:
        f"{LOGS}/annotation/calibrate.log",
    benchmark:
        f"{BENCHMARKS}/annotation/calibrate.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        settings=job_settings_of(
            "calibrate",
            conformal=SETTINGS.dataset.annotation.conformal,
            quorum=SETTINGS.dataset.annotation.quorum,
            specialties=RELEASED,
            formats=SETTINGS.figures.formats,
        ),
        folder=lambda wildcards, output: Path(output.sets).parent,
        code=code_digest("calibrate"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/calibrate.py --settings {params.settings:q} --questions {input.questions:q}'
        " --votes {input.votes:q} --trail {input.trail:q} --out {params.folder:q} > {log:q} 2>&1"


rule release:
    """Release the annotated data set, from which the grid then reads."""
    input:
        list(map(str, QUESTION_FILES.values())),
        rules.vote.output,
        rules.verify.output,
        rules.calibrate.output.tables,
        sets=rules.calibrate.output.sets,
    output:
        directory(RELEASE),
    log:
        f"{LOGS}/annotation/release.log",
    benchmark:
        f"{BENCHMARKS}/annotation/release.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(20),
    params:
        settings=job_settings_of(
            "release", dataset=UNLABELLED | {"annotation": SETTINGS.dataset.annotation.model_dump(mode="json")}
        ),
        folder=lambda wildcards, input: Path(input.sets).parent,
        code=code_digest("release"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/release.py --settings {params.settings:q} --folder {params.folder:q}'
        " --out {output:q} > {log:q} 2>&1"
