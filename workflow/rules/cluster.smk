# No run starts beside the Slurm jobs of a run whose controller was killed.
from neuro2cardio.operations import slurm_jobs


onstart:
    try:
        slurm_jobs.check_alone(Path.cwd())
    except InputError as error:
        raise WorkflowError(str(error))
