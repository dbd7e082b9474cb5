# What the grid will cost, and what it did cost. Both run where they are asked for, and only then.

QUESTIONS = f"{RESULTS}/questions.parquet"


# Print jobs, tokens, FLOPs, hours, memory and disk of the grid, before any GPU is used.
rule plan:
    input:
        questions=planned_questions(),
    output:
        f"{RESULTS}/plan/plan.csv",
    log:
        f"{LOGS}/plan.log",
    benchmark:
        f"{BENCHMARKS}/plan.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(5),
    params:
        settings=settings.canonical_json(SETTINGS),
        questions=lambda wildcards, input: f"--questions {input.questions}" if input.questions else "",
        costs=lambda wildcards: " ".join(map(str, seen()[1])),
        seen=lambda wildcards: [provenance.sha256(path) for group in seen() for path in group],
        code=code("operations.plan"),
    shell:
        "python workflow/scripts/plan.py --settings {params.settings:q} {params.questions} --models resources/models"
        " --costs {params.costs} --output {output:q} 2>&1 | tee {log:q}"


# Set planned beside measured, for the jobs that ran so far. The next plan corrects itself by it.
rule cost:
    input:
        questions=QUESTIONS,
    output:
        table=f"{RESULTS}/plan/cost.csv",
        figures=expand(f"{RESULTS}/plan/cost.{{suffix}}", suffix=SETTINGS.figures.formats),
    log:
        f"{LOGS}/cost.log",
    benchmark:
        f"{BENCHMARKS}/cost.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        settings=settings.canonical_json(SETTINGS),
        benchmarks=BENCHMARKS,
        ran=lambda wildcards: ran(),
        figure=lambda wildcards: f"{RESULTS}/plan/cost",
        code=code("operations.cost", "operations.plan", "operations.cost_figure"),
    shell:
        "python workflow/scripts/cost.py --settings {params.settings:q} --questions {input.questions:q} --models resources/models"
        " --benchmarks {params.benchmarks:q} --logs .snakemake/log --table {output.table:q} --figure {params.figure}"
        " 2>&1 | tee {log:q}"
