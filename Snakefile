"""neuro2cardio: what does fine-tuning on one clinical specialty do to a model's answers in the others?"""

from snakemake.utils import min_version

min_version("9.0")


report: "workflow/report/study.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/questions.smk"
include: "workflow/rules/terms.smk"
include: "workflow/rules/models.smk"


if SETTINGS.dataset.annotation:

    include: "workflow/rules/annotator.smk"
    include: "workflow/rules/annotation.smk"


include: "workflow/rules/finetune.smk"
include: "workflow/rules/infer.smk"
include: "workflow/rules/transfer.smk"
include: "workflow/rules/plan.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/cluster.smk"


rule all:
    """Make everything the configuration asks for; adapters and predictions too, so that one which is gone is made again."""
    default_target: True
    input:
        adapter_outputs(),
        all_results(),


for train_set in SETTINGS.train_sets:

    rule:
        """Make one specialty or control of the grid, without the tables that need all of it."""
        name:
            f"specialty_{train_set}"
        input:
            adapter_outputs(train_set=train_set),


check_targets("specialty_", SETTINGS.train_sets)
