localrules:
    fetch_model,


# Bring a base model to resources/, checked and converted once. Runs where there is internet.
rule fetch_model:
    output:
        "resources/models/{model}/model.json",
    log:
        f"{LOGS}/fetch_model/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/fetch_model/{{model}}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        settings=lambda wildcards: part(
            model=SETTINGS.models[wildcards.model].model_dump(mode="json", exclude={"resources"})
        ),
        folder=lambda wildcards, output: Path(output[0]).parent,
        # A local folder whose files changed is recorded anew, and all of its jobs run again.
        state=lambda wildcards: folder_state(getattr(SETTINGS.models[wildcards.model], "path", None)),
        code=code("models.fetching"),
    shell:
        "HF_HUB_OFFLINE=$HUB_OFFLINE python workflow/scripts/fetch_model.py --settings {params.settings:q} --folder {params.folder:q} > {log} 2>&1"


# Pose every question to the model's tokenizer: what cannot work fails at once, and for all questions. No GPU job waits for
# it (Snakemake does not look for changes of jobs behind one that runs again, not even where the edge is `ancient`); each
# poses its own questions before it loads weights.
rule check_model:
    input:
        record="resources/models/{model}/model.json",
        questions=f"{RESULTS}/questions.parquet",
    output:
        f"{RESULTS}/models/{{model}}.json",
    log:
        f"{LOGS}/check_model/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/check_model/{{model}}.tsv"
    priority: 1
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(30),
    params:
        settings=lambda wildcards: part(
            usage=usage(wildcards.model),
            prompt=SETTINGS.prompt,
            inference=SETTINGS.inference,
            forms=sorted({SETTINGS.recipes[r].form for r in SETTINGS.grid.recipes}),
        ),
        code=code("models.tokenizer_check"),
    shell:
        "python workflow/scripts/check_model.py --record {input.record:q} --questions {input.questions:q}"
        " --settings {params.settings:q} --output {output:q} > {log} 2>&1"
