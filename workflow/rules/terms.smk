# Which texts are clinical terms, where they stand in the questions, and what the lexicon is worth.

TERMS = f"{RESULTS}/terms"


# Build the lexicon: clinical term -> specialties.
rule lexicon:
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
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        settings=part(lexicon=SETTINGS.terms.lexicon, max_specialties=SETTINGS.terms.max_specialties),
        files=lambda wildcards, input: " ".join(
            f"--{name} {input[name]}" for name in ("hpo", "icd10cm") if name in input.keys()
        ),
        mappings=mappings(),
        code=code("terms.lexicon"),
    shell:
        "python workflow/scripts/lexicon.py --settings {params.settings:q} {params.files}"
        " --out {output.terms} --versions {output.versions} > {log} 2>&1"


# Find the clinical terms of every question, and placebo words to stand beside them.
rule mentions:
    input:
        questions=f"{RESULTS}/questions.parquet",
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
        mem_mb=grow(2000),
        runtime=grow(30),
    params:
        settings=part(
            lexicon=SETTINGS.terms.lexicon,
            max_specialties=SETTINGS.terms.max_specialties,
            placebo=SETTINGS.terms.placebo,
        ),
        code=code("terms.mentions"),
    shell:
        "python workflow/scripts/mentions.py --settings {params.settings:q} --questions {input.questions}"
        " --lexicon {input.lexicon} --lexicon-versions {input.versions}"
        " --out {output.mentions} --versions {output.versions} > {log} 2>&1"


# Measure the lexicon: coverage, ambiguity, and agreement of a question's terms with its label.
rule validity:
    input:
        questions=f"{RESULTS}/questions.parquet",
        lexicon=rules.lexicon.output.terms,
        mentions=rules.mentions.output.mentions,
    output:
        f"{TERMS}/validity.csv",
    log:
        f"{LOGS}/terms/validity.log",
    benchmark:
        f"{BENCHMARKS}/terms/validity.tsv"
    conda:
        "../../envs/terms.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        code=code("terms.validity"),
    shell:
        "python workflow/scripts/validity.py --questions {input.questions} --lexicon {input.lexicon}"
        " --mentions {input.mentions} --out {output} > {log} 2>&1"
