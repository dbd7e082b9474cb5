# What was scored, for jobs that run again with inputs that came out the same. No model's name begins with a dot.
KEPT = f"{RESULTS}/checkpoints/.scored"


# Cut out the test split: all that inference depends on, so that other train questions rerun none of it.
rule test_split:
    input:
        questions=f"{RESULTS}/questions.parquet",
        mentions=f"{RESULTS}/terms/mentions.parquet",
    output:
        questions=f"{RESULTS}/test_split/questions.parquet",
        mentions=f"{RESULTS}/test_split/mentions.parquet",
    log:
        f"{LOGS}/test_split.log",
    benchmark:
        f"{BENCHMARKS}/test_split.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        code=code("core.tables"),
    shell:
        "python workflow/scripts/test_split.py --questions {input.questions:q} --mentions {input.mentions:q}"
        " --test-questions {output.questions:q} --test-mentions {output.mentions:q} > {log} 2>&1"


# Score the whole test set with the base model: once per model, never once per adapter.
rule infer_base:
    input:
        record="resources/models/{model}/model.json",
        questions=f"{RESULTS}/test_split/questions.parquet",
        mentions=f"{RESULTS}/test_split/mentions.parquet",
    output:
        predictions=f"{RESULTS}/predictions/{{model}}/base.parquet",
        term_logprobs=f"{RESULTS}/term_logprobs/{{model}}/base.parquet",
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
        settings=lambda wildcards: scoring_settings(wildcards.model),
        adapter_key=lambda wildcards: part(model=wildcards.model, recipe="base", train_set="base", seed=-1),
        adapter="",
        kept=f"{KEPT}/{{model}}/base",
        code=code("models.self_check", "models.tokenizer_check"),
    shell:
        "python workflow/scripts/infer.py --record {input.record:q} {params.adapter}"
        " --questions {input.questions:q} --mentions {input.mentions:q} --settings {params.settings:q}"
        " --keys {params.adapter_key:q} --threads {threads} --kept {params.kept:q} --predictions {output.predictions:q}"
        " --term-logprobs {output.term_logprobs:q} > {log} 2>&1"


# Score the whole test set with one adapter; specialties are sliced afterwards.
use rule infer_base as infer_adapter with:
    input:
        record="resources/models/{model}/model.json",
        questions=f"{RESULTS}/test_split/questions.parquet",
        mentions=f"{RESULTS}/test_split/mentions.parquet",
        adapter=f"{RESULTS}/adapters/{ADAPTER}/adapter_model.safetensors",
    output:
        predictions=f"{RESULTS}/predictions/{ADAPTER}.parquet",
        term_logprobs=f"{RESULTS}/term_logprobs/{ADAPTER}.parquet",
    log:
        f"{LOGS}/infer_adapter/{ADAPTER}.log",
    benchmark:
        f"{BENCHMARKS}/infer_adapter/{ADAPTER}.tsv"
    params:
        settings=lambda wildcards: scoring_settings(wildcards.model),
        adapter_key=lambda wildcards: adapter_key(wildcards),
        adapter=f"--adapter {RESULTS}/adapters/{ADAPTER}",
        kept=f"{KEPT}/{ADAPTER}",
        code=code("models.self_check", "models.tokenizer_check"),
