# Scoring: every adapter, and each base model once, on the whole test set; specialties are sliced afterwards.


# All that inference depends on, so that other train questions rerun none of it.
rule test_split:
    """Cut the test split out of the question table and the mentions."""
    input:
        questions=QUESTIONS,
        mentions=f"{TERMS}/mentions.parquet",
    output:
        questions=f"{TEST_SPLIT}/questions.parquet",
        mentions=f"{TEST_SPLIT}/mentions.parquet",
    log:
        f"{LOGS}/test_split.log",
    benchmark:
        f"{BENCHMARKS}/test_split.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_digest("test_split"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/test_split.py --questions {input.questions:q} --mentions {input.mentions:q}'
        " --test-questions {output.questions:q} --test-mentions {output.mentions:q} > {log:q} 2>&1"


rule infer_base:
    """Score the whole test set: with each adapter, and once with each base model."""
    input:
        **probe_questions(),
        record=RECORD,
        questions=f"{TEST_SPLIT}/questions.parquet",
        mentions=f"{TEST_SPLIT}/mentions.parquet",
    output:
        **probe_predictions("{model}/base"),
        predictions=f"{PREDICTIONS}/{{model}}/base.parquet",
        term_logprobs=f"{TERM_LOGPROBS}/{{model}}/base.parquet",
    log:
        f"{LOGS}/infer_base/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/infer_base/{{model}}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: lambda wildcards: SETTINGS.models[wildcards.model].resources.threads
    resources:
        gpu=lambda wildcards: SETTINGS.models[wildcards.model].resources.gpu,
        mem_mb=model_resource("mem_mb"),
        runtime=model_resource("infer_minutes"),
    params:
        settings=lambda wildcards: settings_file("infer", scoring_settings(wildcards.model)),
        key="{model} base base -1",
        adapter="",
        probes=probe_arguments("{model}/base"),
        job_cache=f"{JOB_CACHE}/infer/{{model}}/base",
        code=code_digest("infer"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/infer.py --settings {params.settings:q} {params.adapter} {params.probes} --key {params.key}'
        " --record {input.record:q} --questions {input.questions:q} --mentions {input.mentions:q}"
        " --threads {threads} --gpus {resources.gpu}"
        " --job-cache {params.job_cache:q} --predictions {output.predictions:q}"
        " --term-logprobs {output.term_logprobs:q} > {log:q} 2>&1"


# All seeds of a train set share a name, where one job scores them.
SCORED_TOGETHER = "{model}/{recipe}/{train_set}/seeds" if SEEDS_TOGETHER else ADAPTER


# A job of several adapters is run again as a whole; those that did not change come from the job cache.
use rule infer_base as infer_adapter with:
    input:
        **probe_questions(),
        record=RECORD,
        questions=f"{TEST_SPLIT}/questions.parquet",
        mentions=f"{TEST_SPLIT}/mentions.parquet",
        adapter=in_one_job(f"{ADAPTERS}/{ADAPTER}/adapter_model.safetensors"),
    output:
        **probe_predictions(*in_one_job(ADAPTER)),
        predictions=in_one_job(f"{PREDICTIONS}/{ADAPTER}.parquet"),
        term_logprobs=in_one_job(f"{TERM_LOGPROBS}/{ADAPTER}.parquet"),
    log:
        f"{LOGS}/infer_adapter/{SCORED_TOGETHER}.log",
    benchmark:
        f"{BENCHMARKS}/infer_adapter/{SCORED_TOGETHER}.tsv"
    resources:
        gpu=lambda wildcards: SETTINGS.models[wildcards.model].resources.gpu,
        mem_mb=model_resource("mem_mb"),
        runtime=model_resource("infer_minutes", len(in_one_job("{seed}"))),
    params:
        settings=lambda wildcards: settings_file("infer", scoring_settings(wildcards.model)),
        key=" ".join(in_one_job("{model} {recipe} {train_set} {seed}")),
        adapter=" ".join(["--adapter", *in_one_job(f"{ADAPTERS}/{ADAPTER}")]),
        probes=probe_arguments(*in_one_job(ADAPTER)),
        job_cache=in_one_job(f"{JOB_CACHE}/infer/{ADAPTER}"),
        code=code_digest("infer"),


# Worked examples in place of an adapter: a base row that costs no training.
use rule infer_base as infer_few_shot with:
    input:
        record=RECORD,
        questions=f"{TEST_SPLIT}/questions.parquet",
        mentions=f"{TEST_SPLIT}/mentions.parquet",
        shots=QUESTIONS,
    output:
        predictions=f"{PREDICTIONS}/{{model}}/few-shot.parquet",
        term_logprobs=f"{TERM_LOGPROBS}/{{model}}/few-shot.parquet",
    log:
        f"{LOGS}/infer_few_shot/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/infer_few_shot/{{model}}.tsv"
    params:
        settings=lambda wildcards: settings_file(
            "infer", scoring_settings(wildcards.model, SETTINGS.inference.base_shots)
        ),
        key="{model} base few-shot -1",
        adapter=f"--shots {QUESTIONS}",
        probes="",
        job_cache=f"{JOB_CACHE}/infer/{{model}}/few-shot",
        code=code_digest("infer"),


# Other wordings in place of an adapter: each is tried on the validation questions, the best on the test questions.
rule infer_best_prompt:
    """Score the test set with the wording with which the base model answers the validation questions best."""
    input:
        record=RECORD,
        questions=QUESTIONS,
        test=f"{TEST_SPLIT}/questions.parquet",
    output:
        predictions=f"{PREDICTIONS}/{{model}}/best-prompt.parquet",
        choice=f"{PREDICTIONS}/{{model}}/best-prompt.csv",
    log:
        f"{LOGS}/infer_best_prompt/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/infer_best_prompt/{{model}}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: lambda wildcards: SETTINGS.models[wildcards.model].resources.threads
    resources:
        gpu=lambda wildcards: SETTINGS.models[wildcards.model].resources.gpu,
        mem_mb=model_resource("mem_mb"),
        runtime=model_resource("infer_minutes"),
    params:
        settings=lambda wildcards: settings_file("best_prompt", prompt_choice_settings(wildcards.model)),
        job_cache=f"{JOB_CACHE}/infer/{{model}}/best-prompt",
        code=code_digest("best_prompt"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/best_prompt.py --settings {params.settings:q} --model {wildcards.model:q}'
        " --record {input.record:q} --questions {input.questions:q} --test-questions {input.test:q}"
        " --threads {threads} --gpus {resources.gpu} --job-cache {params.job_cache:q}"
        " --predictions {output.predictions:q} --choice {output.choice:q} > {log:q} 2>&1"
