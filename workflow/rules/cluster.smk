# Who runs here: a second run is told who holds the lock, none starts beside the jobs of a run that was killed, and no job
# shows the log of an earlier one.
from snakemake.logging import logger

from neuro2cardio.operations import run_lock, slurm_jobs
from neuro2cardio.operations.job_logs import FormerLogs

if workflow.is_main_process and run_lock.name_holder not in logger.filters:
    logger.addFilter(run_lock.name_holder)


onstart:
    try:
        slurm_jobs.check_alone(Path.cwd())
        if workflow.executor_plugin and workflow.executor_plugin.name == "slurm":
            slurm_jobs.check_profile(os.environ, workflow.resource_settings.default_resources.args)
            logger.addHandler(FormerLogs())
    except InputError as error:
        raise WorkflowError(str(error))
    if workflow.is_main_process and workflow.execution_settings.lock:
        run_lock.record(Path.cwd())
