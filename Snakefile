"""neuro2cardio: what does fine-tuning on one clinical specialty do to a model's answers in the others?"""

from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/common.smk"
include: "workflow/rules/questions.smk"
include: "workflow/rules/terms.smk"
include: "workflow/rules/models.smk"


if SETTINGS.dataset.annotation:

    include: "workflow/rules/annotation.smk"


include: "workflow/rules/finetune.smk"
include: "workflow/rules/infer.smk"
include: "workflow/rules/transfer.smk"
include: "workflow/rules/plan.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/cluster.smk"


# Everything the configuration asks for; adapters and predictions too, so that one which is gone is made again.
rule all:
    default_target: True
    input:
        scored(),
        all_results(),


# One specialty of the grid, and nothing that the grid's tables are made of twice: snakemake specialty_cardiology
for slug in map(specialties.slug, SETTINGS.grid.specialties):

    rule:
        name:
            f"specialty_{slug}"
        input:
            scored(train_set=slug),
