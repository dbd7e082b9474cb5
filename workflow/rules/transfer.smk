# From predictions to what they say: tables with intervals, figures, and three lines in plain words.

TABLES = f"{RESULTS}/tables"
METHODS = SETTINGS.inference.methods
POSITIONED = [method for method in METHODS if method != "cloze"]


FIGURE = f"{RESULTS}/figures/{{model}}/{{recipe}}/{{figure}}.{{format}}"


# Set every adapter's answers against the base model's: train set x test specialty.
rule transfer_matrix:
    input:
        questions=f"{RESULTS}/questions.parquet",
        base=expand(f"{RESULTS}/predictions/{{model}}/base.parquet", model=SETTINGS.grid.models),
        adapters=adapters(f"{RESULTS}/predictions/{ADAPTER}.parquet"),
        training=adapters(f"{RESULTS}/adapters/{ADAPTER}/training.csv"),
    output:
        matrix=f"{TABLES}/transfer_matrix.csv",
        diagonal=f"{TABLES}/diagonal.csv",
        position_bias=f"{TABLES}/position_bias.csv",
        answer_mass=f"{TABLES}/answer_mass.csv",
        checks=f"{TABLES}/training_checks.csv",
    log:
        f"{LOGS}/tables/transfer_matrix.log",
    benchmark:
        f"{BENCHMARKS}/tables/transfer_matrix.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 2
    resources:
        mem_mb=grow(2000),
        runtime=grow(20),
    params:
        settings=part(axes=axes(), methods=METHODS, statistics=SETTINGS.statistics),
        predictions=lambda wildcards: f"{RESULTS}/predictions",
        adapters=f"{RESULTS}/adapters",
        code=code("analysis.transfer", "analysis.position_bias", "analysis.answer_mass", "analysis.adapter_checks"),
    shell:
        "python workflow/scripts/transfer_matrix.py --questions {input.questions:q} --predictions {params.predictions:q}"
        " --adapters {params.adapters:q} --settings {params.settings:q} --checks {output.checks:q} --matrix {output.matrix:q} --diagonal {output.diagonal:q}"
        " --position-bias {output.position_bias:q} --answer-mass {output.answer_mass:q} > {log} 2>&1"


# Set the probability of clinical terms, own and others', and of placebo words against the base model's.
rule term_shift:
    input:
        questions=f"{RESULTS}/questions.parquet",
        mentions=f"{RESULTS}/terms/mentions.parquet",
        base=expand(f"{RESULTS}/term_logprobs/{{model}}/base.parquet", model=SETTINGS.grid.models),
        adapters=adapters(f"{RESULTS}/term_logprobs/{ADAPTER}.parquet"),
    output:
        shifts=f"{TABLES}/term_shift.csv",
        grid=f"{TABLES}/term_shift_grid.csv",
        balance=f"{TABLES}/placebo_balance.csv",
    log:
        f"{LOGS}/tables/term_shift.log",
    benchmark:
        f"{BENCHMARKS}/tables/term_shift.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 2
    resources:
        mem_mb=grow(4000),
        runtime=grow(20),
    params:
        settings=part(axes=axes(), contexts=SETTINGS.terms.contexts, statistics=SETTINGS.statistics),
        term_logprobs=lambda wildcards: f"{RESULTS}/term_logprobs",
        code=code("analysis.term_shift"),
    shell:
        "python workflow/scripts/term_shift.py --questions {input.questions:q} --mentions {input.mentions:q}"
        " --term-logprobs {params.term_logprobs:q} --settings {params.settings:q} --shifts {output.shifts:q}"
        " --grid {output.grid:q} --balance {output.balance:q} > {log} 2>&1"


# Draw the figures of one model and recipe.
rule figures:
    input:
        tables=expand(
            f"{TABLES}/{{table}}.csv",
            table=["transfer_matrix", "diagonal", "position_bias", "term_shift", "term_shift_grid"],
        ),
        training=lambda wildcards: adapters(
            f"{RESULTS}/adapters/{ADAPTER}/training.csv", model=wildcards.model, recipe=wildcards.recipe
        ),
    output:
        expand(FIGURE, figure=figure_names(), format=SETTINGS.figures.formats, allow_missing=True),
    log:
        f"{LOGS}/figures/{{model}}/{{recipe}}.log",
    benchmark:
        f"{BENCHMARKS}/figures/{{model}}/{{recipe}}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(20),
    params:
        settings=part(axes=axes(), scope=SETTINGS.terms.scope, figures=SETTINGS.figures),
        figures=figure_names(),
        tables=lambda wildcards: TABLES,
        adapters=f"{RESULTS}/adapters",
        out=lambda wildcards: f"{RESULTS}/figures/{wildcards.model}/{wildcards.recipe}",
        code=code("analysis.figures"),
    shell:
        "python workflow/scripts/figures.py --tables {params.tables:q} --adapters {params.adapters:q}"
        " --model {wildcards.model} --recipe {wildcards.recipe} --settings {params.settings:q}"
        " --figures {params.figures} --out {params.out:q} > {log} 2>&1"


# Say in three lines what came out.
rule summary:
    input:
        matrix=f"{TABLES}/transfer_matrix.csv",
        diagonal=f"{TABLES}/diagonal.csv",
        term_shift=f"{TABLES}/term_shift.csv",
        answer_mass=f"{TABLES}/answer_mass.csv",
    output:
        f"{TABLES}/summary.txt",
    log:
        f"{LOGS}/tables/summary.log",
    benchmark:
        f"{BENCHMARKS}/tables/summary.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        settings=part(context=SETTINGS.terms.contexts[0], scope=SETTINGS.terms.scope),
        code=code("analysis.summary", "analysis.answer_mass"),
    shell:
        "python workflow/scripts/summary.py --matrix {input.matrix:q} --diagonal {input.diagonal:q}"
        " --term-shift {input.term_shift:q} --answer-mass {input.answer_mass:q} --settings {params.settings:q} --out {output:q} > {log} 2>&1"
