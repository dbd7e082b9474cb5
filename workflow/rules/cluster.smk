# No run starts beside the Slurm jobs of a run whose controller was killed.
from neuro2cardio.operations import slurm_jobs


onstart:
    try:
        slurm_jobs.check_alone(Path.cwd())
        if workflow.executor_plugin and workflow.executor_plugin.name == "slurm":
            slurm_jobs.check_profile(os.environ, workflow.resource_settings.default_resources.args)
    except InputError as error:
        raise WorkflowError(str(error))
