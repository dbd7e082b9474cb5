# From predictions to what they say: tables with intervals, figures, and three lines in plain words.


rule transfer_matrix:
    """Compare every adapter's answers with the base model's: train set x test specialty."""
    input:
        questions=QUESTIONS,
        base=expand(f"{PREDICTIONS}/{{model}}/base.parquet", model=SETTINGS.grid.models),
        base_rows=base_row_predictions(),
        adapters=adapters(f"{PREDICTIONS}/{ADAPTER}.parquet"),
        training=adapters(f"{ADAPTERS}/{ADAPTER}/training.csv"),
    output:
        matrix=report_table("transfer_matrix", "transfer"),
        diagonal=report_table("diagonal", "diagonal"),
        effects=report_table("effects", "effects"),
        position_bias=report_table("position_bias", "position-bias"),
        answer_mass=report_table("answer_mass", "answer-mass"),
        checks=report_table("training_checks", "training"),
        base_prompts=[report_table("base_prompts", "base-prompts")] if SETTINGS.inference.base_prompts else [],
        changes_against=[report_table("changes_against", "changes-against")] if REFERENCE_ROWS else [],
    log:
        f"{LOGS}/tables/transfer_matrix.log",
    benchmark:
        f"{BENCHMARKS}/tables/transfer_matrix.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 2
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        settings=job_settings_of(
            "transfer_matrix",
            axes=axes(),
            methods=METHODS,
            base_rows=SETTINGS.base_rows,
            statistics=SETTINGS.statistics,
        ),
        predictions=lambda wildcards: PREDICTIONS,
        adapters=lambda wildcards: ADAPTERS,
        base_prompts=f"--base-prompts {TABLES}/base_prompts.csv" if SETTINGS.inference.base_prompts else "",
        changes_against=f"--changes-against {TABLES}/changes_against.csv" if REFERENCE_ROWS else "",
        code=code_digest("transfer_matrix"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/transfer_matrix.py --settings {params.settings:q} --questions {input.questions:q}'
        " --predictions {params.predictions:q} --adapters {params.adapters:q} --matrix {output.matrix:q}"
        " --diagonal {output.diagonal:q} --effects {output.effects:q} --position-bias {output.position_bias:q} --answer-mass {output.answer_mass:q}"
        " --checks {output.checks:q} {params.base_prompts} {params.changes_against} > {log:q} 2>&1"


rule term_shift:
    """Compare the probability of clinical terms, own and others', and of placebo words with the base model's."""
    input:
        questions=QUESTIONS,
        mentions=f"{TERMS}/mentions.parquet",
        base=expand(f"{TERM_LOGPROBS}/{{model}}/base.parquet", model=SETTINGS.grid.models),
        adapters=adapters(f"{TERM_LOGPROBS}/{ADAPTER}.parquet"),
    output:
        shifts=report_table("term_shift", "term-shift"),
        grid=report_table("term_shift_grid", "term-shift-grid"),
        balance=report_table("placebo_balance", "placebo-balance"),
    log:
        f"{LOGS}/tables/term_shift.log",
    benchmark:
        f"{BENCHMARKS}/tables/term_shift.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 2
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(20),
    params:
        settings=job_settings_of(
            "term_shift", axes=axes(), contexts=SETTINGS.terms.contexts, statistics=SETTINGS.statistics
        ),
        term_logprobs=lambda wildcards: TERM_LOGPROBS,
        code=code_digest("term_shift"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/term_shift.py --settings {params.settings:q} --questions {input.questions:q}'
        " --mentions {input.mentions:q} --term-logprobs {params.term_logprobs:q} --shifts {output.shifts:q}"
        " --grid {output.grid:q} --balance {output.balance:q} > {log:q} 2>&1"


if SETTINGS.dataset.probes:

    rule probe_tables:
        """Compare facts trained on with facts never trained on, asked another way, under own and others' adapters."""
        input:
            probes=f"{PROBES}/questions.parquet",
            base=expand(f"{PROBES}/predictions/{{model}}/base.parquet", model=SETTINGS.grid.models),
            adapters=adapters(f"{PROBES}/predictions/{ADAPTER}.parquet"),
        output:
            table=report_table("probes", "probes"),
            by_fact=report_table("probe_facts", "probes"),
        log:
            f"{LOGS}/tables/probes.log",
        benchmark:
            f"{BENCHMARKS}/tables/probes.tsv"
        conda:
            "../../envs/analysis.yaml"
        threads: 1
        resources:
            mem_mb=per_attempt(2000),
            runtime=per_attempt(20),
        params:
            settings=job_settings_of("probe_tables", axes=axes(), methods=METHODS, statistics=SETTINGS.statistics),
            predictions=lambda wildcards: f"{PROBES}/predictions",
            code=code_digest("probe_tables"),
        shell:
            'python "$NEURO2CARDIO_SCRIPTS"/probe_tables.py --settings {params.settings:q} --probes {input.probes:q}'
            " --predictions {params.predictions:q} --table {output.table:q} --by-fact {output.by_fact:q} > {log:q} 2>&1"


if SETTINGS.dose_series:

    rule dose:
        """Set the effects of recipes that differ in their dose side by side, and the largest against the smallest."""
        input:
            questions=QUESTIONS,
            base=expand(f"{PREDICTIONS}/{{model}}/base.parquet", model=SETTINGS.grid.models),
            adapters=adapters(f"{PREDICTIONS}/{ADAPTER}.parquet", recipe=recipes_of_doses()),
            asked=probes_of_doses(),
            effects=f"{TABLES}/effects.csv",
            checks=f"{TABLES}/training_checks.csv",
            probes=[f"{TABLES}/probes.csv"] if SETTINGS.dataset.probes else [],
            sets=expand(
                f"{TRAIN_SETS}/{{train_set}}.parquet", train_set=map(specialties.slug, SETTINGS.grid.specialties)
            ),
        output:
            dose_figures(SETTINGS.figures.formats[1:]),
            dose_figures(SETTINGS.figures.formats, column="column/"),
            report(
                dose_figures(SETTINGS.figures.formats[:1]),
                caption="../report/dose.rst",
                category="Figures",
                subcategory="Dose",
                labels={"figure": "dose"},
            ),
            table=report_table("dose", "dose"),
        log:
            f"{LOGS}/tables/dose.log",
        benchmark:
            f"{BENCHMARKS}/tables/dose.tsv"
        conda:
            "../../envs/analysis.yaml"
        threads: 1
        resources:
            mem_mb=per_attempt(2000),
            runtime=per_attempt(20),
        params:
            settings=job_settings_of(
                "dose",
                axes=axes(),
                methods=METHODS,
                series=SETTINGS.dose_series,
                epochs={name: SETTINGS.recipes[name].epochs for name in SETTINGS.grid.recipes},
                train_size={name: SETTINGS.recipes[name].train_size for name in SETTINGS.grid.recipes},
                statistics=SETTINGS.statistics,
                figures=SETTINGS.figures,
            ),
            predictions=lambda wildcards: PREDICTIONS,
            probes=(
                f"--probes {TABLES}/probes.csv --probe-questions {PROBES}/questions.parquet"
                f" --probe-predictions {PROBES}/predictions"
                if SETTINGS.dataset.probes
                else ""
            ),
            train_sets=lambda wildcards: TRAIN_SETS,
            figures=lambda wildcards: FIGURES,
            code=code_digest("dose") + FIGURE_STYLE,
        shell:
            'python "$NEURO2CARDIO_SCRIPTS"/dose.py --settings {params.settings:q} --train-sets {params.train_sets:q}'
            " --questions {input.questions:q} --predictions {params.predictions:q} --effects {input.effects:q}"
            " --checks {input.checks:q} {params.probes} --table {output.table:q}"
            " --figures {params.figures:q} > {log:q} 2>&1"


rule figures:
    """Draw the figures of one model and recipe."""
    input:
        tables=expand(
            f"{TABLES}/{{table}}.csv",
            table=[
                *("transfer_matrix", "training_checks", "diagonal", "position_bias", "term_shift", "term_shift_grid"),
                *(["changes_against"] if SETTINGS.references else []),
                *(["probes"] if SETTINGS.dataset.probes else []),
            ],
        ),
        training=lambda wildcards: adapters(
            f"{ADAPTERS}/{ADAPTER}/training.csv", model=wildcards.model, recipe=wildcards.recipe
        ),
    output:
        *map(report_figure, figure_names()),
        expand(FIGURE, figure=figure_names(), format=SETTINGS.figures.formats[1:], allow_missing=True),
        expand(COLUMN_FIGURE, figure=figure_names(), format=SETTINGS.figures.formats, allow_missing=True),
    log:
        f"{LOGS}/figures/{{model}}/{{recipe}}.log",
    benchmark:
        f"{BENCHMARKS}/figures/{{model}}/{{recipe}}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(1500),
        runtime=per_attempt(20),
    params:
        settings=job_settings_of("figures", axes=axes(), scope=SETTINGS.terms.scope, figures=SETTINGS.figures),
        figures=figure_names(),
        tables=lambda wildcards: TABLES,
        adapters=ADAPTERS,
        folder=f"{FIGURES}/{{model}}/{{recipe}}",
        code=code_digest("figures") + FIGURE_STYLE,
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/figures.py --settings {params.settings:q} --tables {params.tables:q}'
        " --adapters {params.adapters:q} --model {wildcards.model:q} --recipe {wildcards.recipe:q}"
        " --figures {params.figures:q} --out {params.folder:q} > {log:q} 2>&1"


rule design:
    """Draw the design of the study from the configuration, before or after anything else was made."""
    output:
        report(
            f"{FIGURES}/design.{SETTINGS.figures.formats[0]}",
            caption="../report/design.rst",
            category="Design",
            labels={"figure": "design"},
        ),
        expand(f"{FIGURES}/design.{{format}}", format=SETTINGS.figures.formats[1:]),
    log:
        f"{LOGS}/figures/design.log",
    benchmark:
        f"{BENCHMARKS}/figures/design.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        settings=job_settings_of(
            "design",
            formats=SETTINGS.figures.formats,
            design={
                "axes": axes(),
                "source": SETTINGS.dataset.origin.source,
                "methods": METHODS,
                "permutations": SETTINGS.inference.permutations,
                "base_rows": SETTINGS.base_rows,
                "terms": bool(SETTINGS.terms.contexts),
                "probes": bool(SETTINGS.dataset.probes),
            },
        ),
        out=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        code=code_digest("design") + FIGURE_STYLE,
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/design.py --settings {params.settings:q} --out {params.out:q} > {log:q} 2>&1'


rule verdict:
    """Say what the grid found, sentence by sentence: for programs, and in words."""
    input:
        effects=f"{TABLES}/effects.csv",
        diagonal=f"{TABLES}/diagonal.csv",
        term_shift=f"{TABLES}/term_shift.csv",
        checks=f"{TABLES}/training_checks.csv",
        answer_mass=f"{TABLES}/answer_mass.csv",
        probes=[f"{TABLES}/probes.csv"] if SETTINGS.dataset.probes else [],
        dose=[f"{TABLES}/dose.csv"] if SETTINGS.dose_series else [],
    output:
        json=f"{TABLES}/verdict.json",
        text=report(
            f"{TABLES}/summary.txt",
            caption="../report/summary.rst",
            category="Summary",
            labels={"table": "summary"},
        ),
    log:
        f"{LOGS}/tables/verdict.log",
    benchmark:
        f"{BENCHMARKS}/tables/verdict.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        settings=job_settings_of(
            "verdict", context=SETTINGS.terms.contexts[0], scope=SETTINGS.terms.scope, statistics=SETTINGS.statistics
        ),
        probes=f"--probes {TABLES}/probes.csv" if SETTINGS.dataset.probes else "",
        dose=f"--dose {TABLES}/dose.csv" if SETTINGS.dose_series else "",
        code=code_digest("verdict"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/verdict.py --settings {params.settings:q} --effects {input.effects:q}'
        " --diagonal {input.diagonal:q} --term-shift {input.term_shift:q} --checks {input.checks:q}"
        " --answer-mass {input.answer_mass:q} {params.probes} {params.dose} --json {output.json:q}"
        " --out {output.text:q} > {log:q} 2>&1"
