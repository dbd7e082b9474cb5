# Fine-tuning: one job for each point of model x recipe x train set x seed.

from itertools import product

from neuro2cardio.operations import forgotten

# Where .snakemake is lost, Snakemake does not notice changed settings. What only looks at the run goes on without them.
ONLY_LOOKS = {"--unlock", "plan", "power", "cost", "settings", "report", "compare", "questions"}
FORCES = {"-R", "--forcerun", "-F", "--forceall"}
if workflow.is_main_process and not (ONLY_LOOKS | FORCES) & set(sys.argv):
    adapters_there = (
        (Path(ADAPTERS, model, recipe, train_set, f"seed-{seed}"), training_settings(model, recipe))
        for model, recipe, train_set, seed in product(*list(axes().values())[:4])
    )
    if changed := forgotten.explain(adapters_there, "finetune"):
        stop(changed)


rule finetune:
    """Fine-tune one adapter on one train set."""
    input:
        record=RECORD,
        train_set=f"{TRAIN_SETS}/{{train_set}}.parquet",
    output:
        multiext(
            f"{ADAPTERS}/{ADAPTER}/",
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
        settings=lambda wildcards: settings_file("finetune", training_settings(wildcards.model, wildcards.recipe)),
        key="{model} {recipe} {train_set} {seed}",
        # Beside the outputs, which Snakemake deletes when the job fails.
        job_cache=f"{JOB_CACHE}/finetune/{ADAPTER}",
        adapter=f"{ADAPTERS}/{ADAPTER}",
        code=code_digest("finetune"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/finetune.py --settings {params.settings:q}'
        " --record {input.record:q} --train-set {input.train_set:q} --key {params.key}"
        " --threads {threads} --gpus {resources.gpu} --job-cache {params.job_cache:q} --out {params.adapter:q} > {log:q} 2>&1"
