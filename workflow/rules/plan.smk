# What the grid will cost, and what it did cost. Both run where they are asked for, and only then.


rule plan:
    """Print jobs, tokens, FLOPs, hours, memory and disk of the grid, before any GPU is used."""
    input:
        questions=planned_questions(),
    output:
        f"{PLAN}/plan.csv",
    log:
        f"{LOGS}/plan.log",
    benchmark:
        f"{BENCHMARKS}/plan.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(5),
    params:
        settings=lambda wildcards: settings_file("plan", SETTINGS),
        questions=lambda wildcards, input: f"--questions {input.questions}" if input.questions else "",
        models=MODELS,
        costs=lambda wildcards: list(map(str, plan_basis()[1])),
        basis=lambda wildcards: [provenance.sha256(path) for group in plan_basis() for path in group],
        code=code_digest("plan"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/plan.py --settings {params.settings:q} {params.questions} --models {params.models:q}'
        " --costs {params.costs:q} --out {output:q} 2>&1 | tee {log:q}"


rule cost:
    """Compare measured cost with planned, for the jobs that ran so far. The next plan corrects itself by it."""
    input:
        questions=QUESTIONS,
    output:
        table=f"{PLAN}/cost.csv",
        figures=expand(f"{PLAN}/cost.{{suffix}}", suffix=SETTINGS.figures.formats),
    log:
        f"{LOGS}/cost.log",
    benchmark:
        f"{BENCHMARKS}/cost.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        settings=lambda wildcards: settings_file("plan", SETTINGS),
        models=MODELS,
        benchmarks=BENCHMARKS,
        measured=lambda wildcards: benchmarks_digest(),
        figure=lambda wildcards: f"{PLAN}/cost",
        code=code_digest("cost"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/cost.py --settings {params.settings:q} --questions {input.questions:q}'
        " --models {params.models:q} --benchmarks {params.benchmarks:q} --logs .snakemake/log --out {output.table:q}"
        " --figure {params.figure:q} 2>&1 | tee {log:q}"


rule power:
    """Print which effects the grid can find with 80%, before any GPU is used."""
    input:
        questions=QUESTIONS,
        mentions=f"{TERMS}/mentions.parquet",
    output:
        f"{PLAN}/power.csv",
    log:
        f"{LOGS}/power.log",
    benchmark:
        f"{BENCHMARKS}/power.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(5),
    params:
        settings=lambda wildcards: settings_file("power", SETTINGS),
        predictions=lambda wildcards: PREDICTIONS,
        term_shift=lambda wildcards: f"{TABLES}/term_shift.csv",
        pilot=lambda wildcards: benchmarks_digest(),
        code=code_digest("power"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/power.py --settings {params.settings:q} --questions {input.questions:q}'
        " --mentions {input.mentions:q} --predictions {params.predictions:q} --term-shift {params.term_shift:q}"
        " --out {output:q} 2>&1 | tee {log:q}"
