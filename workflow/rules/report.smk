# What a user sees: a short dry run, a line for each finished job, and what came out when the run is done.
import json
from time import time

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from neuro2cardio.operations.progress import InterruptionMessages, ProgressMessages

PARSED = time()

# A dry run of the full grid would print 600 jobs. It says how many of each rule there are and why; -p lists each.
if DRY_RUN and not (workflow.output_settings.printshellcmds or workflow.output_settings.verbose):
    logger.addFilter(lambda record: getattr(record, "event", None) not in (LogEvent.JOB_INFO, LogEvent.GROUP_INFO))

# Jobs parse the workflow too; only the process that the user started reports.
if workflow.is_main_process and not any(isinstance(handler, ProgressMessages) for handler in logger.handlers):
    logger.addHandler(ProgressMessages(logger))
    logger.addFilter(InterruptionMessages())


PAGE = f"{RESULTS}/report/index.html"


rule published_tables:
    """Write tables for readers: each test question with what every adapter made of it, and LaTeX for papers."""
    input:
        questions=QUESTIONS,
        matrix=f"{TABLES}/transfer_matrix.csv",
        base=expand(f"{PREDICTIONS}/{{model}}/base.parquet", model=SETTINGS.grid.models),
        adapters=adapters(f"{PREDICTIONS}/{ADAPTER}.parquet"),
    output:
        csv=f"{TABLES}/questions.csv",
        parquet=f"{TABLES}/questions.parquet",
        latex=expand(
            f"{TABLES}/latex/transfer-{{model}}-{{recipe}}-{{method}}.tex",
            model=SETTINGS.grid.models,
            recipe=SETTINGS.grid.recipes,
            method=METHODS,
        ),
    log:
        f"{LOGS}/tables/published_tables.log",
    benchmark:
        f"{BENCHMARKS}/tables/published_tables.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        settings=job_settings_of("published_tables", axes=axes(), methods=METHODS),
        predictions=lambda wildcards: PREDICTIONS,
        latex=lambda wildcards: f"{TABLES}/latex",
        code=code_digest("published_tables"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/published_tables.py --settings {params.settings:q} --questions {input.questions:q}'
        " --predictions {params.predictions:q} --matrix {input.matrix:q} --csv {output.csv:q}"
        " --parquet {output.parquet:q} --latex {params.latex:q} > {log:q} 2>&1"


rule report_page:
    """Make the page that a run ends in: from the verdict down to the single question."""
    input:
        tables=expand(f"{TABLES}/{{table}}.csv", table=TABLE_NAMES),
        summary=f"{TABLES}/summary.txt",
        test_split=f"{TEST_SPLIT}/questions.parquet",
        published=f"{TABLES}/questions.csv",
    output:
        report(PAGE, caption="../report/page.rst", category="Page", labels={"page": "the whole report"}),
    log:
        f"{LOGS}/report.log",
    benchmark:
        f"{BENCHMARKS}/report.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(20),
    params:
        settings=page_settings,
        results=lambda wildcards: RESULTS,
        assets=page_assets(),
        code=code_digest("report"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/report.py --settings {params.settings:q} --results {params.results:q}'
        " --out {output:q} > {log:q} 2>&1"


rule report:
    """Make the page from what is there so far, beside a run that is going on: snakemake report --nolock."""
    log:
        f"{LOGS}/report-so-far.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(20),
    params:
        settings=page_settings,
        results=lambda wildcards: RESULTS,
        page=f"{RESULTS}/report/so-far.html",
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/report.py --settings {params.settings:q} --results {params.results:q}'
        " --out {params.page:q} 2>&1 | tee {log:q}"


rule export:
    """Export the run for others: adapters with model cards, files for lm-eval, tables and report, as an RO-Crate."""
    input:
        adapter_outputs(),
        expand(RECORD, model=SETTINGS.grid.models),
        page=PAGE,
        matrix=f"{TABLES}/transfer_matrix.csv",
        checks=f"{TABLES}/training_checks.csv",
        questions=f"{TEST_SPLIT}/questions.parquet",
    output:
        directory(f"{RESULTS}/export"),
    log:
        f"{LOGS}/export.log",
    benchmark:
        f"{BENCHMARKS}/export.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        settings=page_settings,
        results=lambda wildcards: RESULTS,
        records=lambda wildcards: MODELS,
        code=code_digest("export"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/export.py --settings {params.settings:q} --results {params.results:q}'
        " --records {params.records:q} --out {output:q} > {log:q} 2>&1"


rule compare:
    """Compare results of runs on one page: snakemake compare --config runs=results/a,results/b."""
    log:
        "logs/compare.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(20),
    params:
        runs=RUNS_TO_COMPARE,
        folder="results/comparisons/" + "-".join(Path(run).name for run in RUNS_TO_COMPARE),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/compare.py {params.runs:q} --out {params.folder:q} 2>&1 | tee {log:q}'


rule settings:
    """Print the whole configuration as it was understood, defaults included."""
    log:
        f"{LOGS}/settings.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    params:
        settings=lambda wildcards: settings_file("settings", SETTINGS),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/settings.py --settings {params.settings:q} 2>&1 | tee {log:q}'


onsuccess:
    summary = Path(f"{TABLES}/summary.txt")
    scored = [Path(path) for path in adapters(f"{PREDICTIONS}/{ADAPTER}.parquet")]
    made = summary.stat().st_mtime if summary.exists() else float("inf")
    newer = [path for path in scored if path.exists() and path.stat().st_mtime > made]
    if newer:
        print(
            f"\n{TABLES} and the report were written before {len(newer)} of {len(scored)} adapters; `snakemake` without a "
            "target makes them again where these changed"
        )
    # A run that did not touch the grid's tables (one specialty, a plan) has nothing to say about them.
    if summary.exists() and summary.stat().st_mtime > PARSED:
        print(f"\n{summary.read_text(encoding='utf-8')}\nReport:  {PAGE}\nFigures: {FIGURES}\nTables:  {TABLES}")
        # The licence of the Human Phenotype Ontology asks for its name and version wherever it was used.
        for what, path in {"Questions": "questions/source.json", "Terms": "terms/mentions.json"}.items():
            said = json.loads(Path(RESULTS, path).read_text(encoding="utf-8"))
            named = {k: v for k, v in said.items() if isinstance(v, str)}
            print(f"{what} use " + "; ".join(f"{k}: {v}" for k, v in named.items()))
