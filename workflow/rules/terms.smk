# Which texts are clinical terms, where they stand in the questions, and how far the lexicon can be trusted.


rule lexicon:
    """Build the lexicon: clinical term -> specialties."""
    input:
        **lexicon_sources(),
    output:
        terms=f"{TERMS}/lexicon.parquet",
        versions=f"{TERMS}/lexicon.json",
    log:
        f"{LOGS}/terms/lexicon.log",
    benchmark:
        f"{BENCHMARKS}/terms/lexicon.tsv"
    conda:
        "../../envs/terms.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        settings=job_settings_of(
            "lexicon",
            lexicon=SETTINGS.terms.lexicon,
            max_specialties=SETTINGS.terms.max_specialties,
            further_specialties=SETTINGS.dataset.further_specialties,
        ),
        files=" ".join(f"--{name} {path}" for name, path in lexicon_sources().items() if name != "dictionary"),
        mappings=mappings_digest(),
        code=code_digest("lexicon"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/lexicon.py --settings {params.settings:q} {params.files}'
        " --out {output.terms:q} --versions {output.versions:q} > {log:q} 2>&1"


rule mentions:
    """Find the clinical terms of every question, and placebo words to compare them with."""
    input:
        questions=QUESTIONS,
        lexicon=rules.lexicon.output.terms,
        versions=rules.lexicon.output.versions,
    output:
        mentions=f"{TERMS}/mentions.parquet",
        versions=f"{TERMS}/mentions.json",
    log:
        f"{LOGS}/terms/mentions.log",
    benchmark:
        f"{BENCHMARKS}/terms/mentions.tsv"
    conda:
        "../../envs/terms.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(30),
    params:
        settings=job_settings_of(
            "mentions",
            lexicon=SETTINGS.terms.lexicon,
            max_specialties=SETTINGS.terms.max_specialties,
            placebo=SETTINGS.terms.placebo,
        ),
        code=code_digest("mentions"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/mentions.py --settings {params.settings:q} --questions {input.questions:q}'
        " --lexicon {input.lexicon:q} --lexicon-versions {input.versions:q}"
        " --out {output.mentions:q} --versions {output.versions:q} > {log:q} 2>&1"


rule validity:
    """Measure the lexicon: coverage, ambiguity, and agreement of a question's terms with its label."""
    input:
        questions=QUESTIONS,
        lexicon=rules.lexicon.output.terms,
        mentions=rules.mentions.output.mentions,
    output:
        report(
            f"{TERMS}/validity.csv",
            caption="../report/validity.rst",
            category="Tables",
            labels={"table": "lexicon"},
        ),
    log:
        f"{LOGS}/terms/validity.log",
    benchmark:
        f"{BENCHMARKS}/terms/validity.tsv"
    conda:
        "../../envs/terms.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        code=code_digest("validity"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/validity.py --questions {input.questions:q} --lexicon {input.lexicon:q}'
        " --mentions {input.mentions:q} --out {output:q} > {log:q} 2>&1"
