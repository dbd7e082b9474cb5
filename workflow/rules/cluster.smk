# No run starts beside the Slurm jobs of a run whose controller was killed.
from neuro2cardio import cluster


onstart:
    try:
        cluster.check_alone(Path.cwd())
    except InputError as error:
        raise WorkflowError(str(error))
