# Fine-tune one adapter: one point of model x recipe x train set x seed.
rule finetune:
    input:
        record="resources/models/{model}/model.json",
        train_set=f"{RESULTS}/train_sets/{{train_set}}.parquet",
    output:
        multiext(
            f"{RESULTS}/adapters/{ADAPTER}/",
            "adapter_model.safetensors",
            "adapter_config.json",
            "training.csv",
            "run.json",
        ),
    log:
        f"{LOGS}/finetune/{ADAPTER}.log",
    benchmark:
        f"{BENCHMARKS}/finetune/{ADAPTER}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: lambda wildcards: SETTINGS.models[wildcards.model].resources.threads
    resources:
        gpu=lambda wildcards: SETTINGS.models[wildcards.model].resources.gpu,
        mem_mb=model_resource("mem_mb"),
        runtime=model_resource("train_minutes"),
    params:
        settings=lambda wildcards: part(
            usage=usage(wildcards.model),
            prompt=prompt_for(SETTINGS.recipes[wildcards.recipe].form),
            recipe=SETTINGS.recipes[wildcards.recipe],
        ),
        adapter_key=lambda wildcards: adapter_key(wildcards),
        # Beside the outputs, which Snakemake deletes when the job fails.
        checkpoints=f"{RESULTS}/checkpoints/{ADAPTER}",
        adapter=f"{RESULTS}/adapters/{ADAPTER}",
        code=code("models.fine_tuning"),
    shell:
        "python workflow/scripts/finetune.py --record {input.record:q} --train-set {input.train_set:q}"
        " --settings {params.settings:q} --keys {params.adapter_key:q} --threads {threads}"
        " --checkpoints {params.checkpoints:q} --adapter {params.adapter:q} > {log} 2>&1"
