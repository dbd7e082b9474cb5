# Giving questions their specialties, where the source has none: annotate -> vote -> verify -> calibrate -> release.
# Experts come before calibration: without specialties in the source, theirs are what is calibrated on.

ANNOTATION = f"{RESULTS}/annotation"
ANNOTATOR = SETTINGS.dataset.annotation.annotator
UNLABELLED = SETTINGS.dataset.model_dump(mode="json", include={"origin", "split", "leakage", "max_rejected"})


# Checks the questions of the source, whatever their specialties.
rule unlabelled:
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
        mem_mb=grow(4000),
        runtime=grow(20),
    params:
        settings=part(**UNLABELLED),
        most=(
            f"--max-questions {SETTINGS.dataset.annotation.max_questions}"
            if SETTINGS.dataset.annotation.max_questions
            else ""
        ),
        code=code("questions.question_table", "questions.sources"),
    shell:
        "python workflow/scripts/unlabelled.py --settings {params.settings:q} {params.most} --questions {output.questions:q}"
        " --rejected {output.rejected:q} > {log:q} 2>&1"


# Says how many requests and tokens are left and what they would cost. Sends nothing.
rule annotation_estimate:
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
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        settings=annotator_settings(),
        options=annotator_options() if ANNOTATOR.backend == "openai" else "",
        code=code("annotation.task"),
    shell:
        "python workflow/scripts/annotate.py --estimate --settings {params.settings:q} --questions {input.questions:q}"
        " {params.options} --output {output:q} 2>&1 | tee {log:q}"


# Asks the annotator for the specialty of every question, in five ways. A server is asked from beside Snakemake: cluster
# nodes have no internet. What was answered is kept, whatever becomes of this job. A model scores as a GPU job, under a name of
# its own, by which a profile sends it to the partition with the GPUs.
rule:
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
        code=code("annotation.task"),
    shell:
        "python workflow/scripts/annotate.py --settings {params.settings:q} --questions {input.questions:q} {params.options}"
        " --threads {threads} --output {output:q} > {log:q} 2>&1"


# Counts the votes.
rule vote:
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
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        quorum=SETTINGS.dataset.annotation.quorum,
        code=code("annotation.votes", "annotation.agreement"),
    shell:
        "python workflow/scripts/vote.py --answers {input:q} --quorum {params.quorum} --votes {output.votes:q}"
        " --status {output.status:q} --problems {output.problems:q} --agreement {output.agreement:q} > {log:q} 2>&1"


# Hands out a sample to experts, and reads back the sheets that the configuration names.
rule verify:
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
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        settings=part(
            **SETTINGS.dataset.annotation.model_dump(mode="json", include={"annotator", "candidates", "verification"})
        ),
        folder=lambda wildcards, output: Path(output.trail).parent,
        code=code("annotation.verification", "annotation.agreement"),
    shell:
        "python workflow/scripts/verify.py --settings {params.settings:q} --questions {input.questions:q}"
        " --votes {input.votes:q} --folder {params.folder:q} > {log:q} 2>&1"


# Measures the votes against the truth, as far as it is known, and calibrates the sets of specialties.
rule calibrate:
    input:
        questions=rules.unlabelled.output.questions,
        votes=rules.vote.output.votes,
        trail=rules.verify.output.trail,
    output:
        sets=f"{ANNOTATION}/sets.parquet",
        tables=expand(f"{ANNOTATION}/{{name}}.csv", name=["quorum", "confusion", "conformal"]),
        figures=expand(f"{ANNOTATION}/figures/quorum.{{format}}", format=SETTINGS.figures.formats),
    log:
        f"{LOGS}/annotation/calibrate.log",
    benchmark:
        f"{BENCHMARKS}/annotation/calibrate.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        settings=part(**SETTINGS.dataset.annotation.conformal.model_dump(mode="json")),
        quorum=SETTINGS.dataset.annotation.quorum,
        formats=SETTINGS.figures.formats,
        folder=lambda wildcards, output: Path(output.sets).parent,
        code=code("annotation.votes", "annotation.conformal", "annotation.verification", "annotation.quorum_figure"),
    shell:
        "python workflow/scripts/calibrate.py --settings {params.settings:q} --quorum {params.quorum} --formats {params.formats}"
        " --questions {input.questions:q} --votes {input.votes:q} --trail {input.trail:q} --folder {params.folder:q}"
        " > {log:q} 2>&1"


# Releases the annotated data set, from which the grid then reads.
rule release:
    input:
        list(map(str, QUESTION_FILES.values())),
        rules.vote.output,
        rules.verify.output,
        rules.calibrate.output.tables,
        sets=rules.calibrate.output.sets,
    output:
        directory(f"{ANNOTATION}/release"),
    log:
        f"{LOGS}/annotation/release.log",
    benchmark:
        f"{BENCHMARKS}/annotation/release.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(20),
    params:
        settings=part(**UNLABELLED, annotation=SETTINGS.dataset.annotation),
        folder=lambda wildcards, input: Path(input.sets).parent,
        code=code("annotation.release", "questions.sources"),
    shell:
        "python workflow/scripts/release.py --settings {params.settings:q} --folder {params.folder:q} --output {output:q}"
        " > {log:q} 2>&1"
