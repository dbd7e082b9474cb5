# Base models: fetched once for all experiments, and their tokenizers checked against the questions.


rule fetch_model:
    """Bring a base model to resources/, checked and converted once. Runs where there is internet."""
    output:
        RECORD,
    log:
        f"{LOGS}/fetch_model/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/fetch_model/{{model}}.tsv"
    localrule: True
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        settings=lambda wildcards: settings_file(
            "fetch_model",
            {"model": SETTINGS.models[wildcards.model].model_dump(mode="json", exclude={"resources"})},
        ),
        folder=lambda wildcards, output: Path(output[0]).parent,
        # A local folder whose files changed is recorded anew, and all of its jobs run again.
        state=lambda wildcards: folder_state(getattr(SETTINGS.models[wildcards.model], "path", None)),
        code=code_digest("fetch_model"),
    shell:
        'HF_HUB_OFFLINE=${{HUB_OFFLINE:-0}} python "$NEURO2CARDIO_SCRIPTS"/fetch_model.py --settings {params.settings:q} --out {params.folder:q}'
        " > {log:q} 2>&1"


# No GPU job waits for this one (Snakemake does not look for changes of jobs behind one that runs again, not even where the
# edge is `ancient`); each checks its own questions before it loads weights.
rule check_model:
    """Check the model, LoRA targets and, for every question, the tokenizer, before any GPU time: what can't work fails now."""
    input:
        record=RECORD,
        questions=QUESTIONS,
    output:
        f"{RESULTS}/models/{{model}}.json",
    log:
        f"{LOGS}/check_model/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/check_model/{{model}}.tsv"
    priority: 1
    localrule: True
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(30),
    params:
        settings=lambda wildcards: settings_file(
            "check_model",
            {
                "usage": usage(wildcards.model),
                "prompt": SETTINGS.prompt.model_dump(mode="json"),
                "inference": inference_settings(),
                # Only what the model must have: a learning rate checks nothing anew.
                "recipes": {
                    r: SETTINGS.recipes[r].model_dump(
                        mode="json", include={"targets", "form", "gradient_checkpointing"}
                    )
                    for r in SETTINGS.grid.recipes
                },
            },
        ),
        code=code_digest("check_model"),
    shell:
        'python "$NEURO2CARDIO_SCRIPTS"/check_model.py --settings {params.settings:q}'
        " --record {input.record:q} --questions {input.questions:q} --out {output:q} > {log:q} 2>&1"
