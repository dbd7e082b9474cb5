#!/bin/bash
# Snakemake itself as a Slurm job, where a login node ends what runs for long: `sbatch slurm/controller.sh [targets]`, from
# the checkout, with -A and -p as your site wants them. Before its time is up, it ends its jobs as Ctrl-C does (they go on
# from their checkpoints) and submits itself again. docs/cluster.md says what to do before.
#SBATCH --job-name=n2c-controller
#SBATCH --time=1-00:00:00
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --output=n2c-controller-%j.log
#SBATCH --signal=B:TERM@300
set -uo pipefail
# Job control: without it, what runs in the background is deaf to Ctrl-C.
set -m
cd "${SLURM_SUBMIT_DIR:-.}"
PATH="$PWD/.venv/bin:$PATH"

go_on() {
  kill -INT "$controller"
  wait "$controller"
  sbatch ${SLURM_JOB_ACCOUNT:+-A "$SLURM_JOB_ACCOUNT"} -p "$SLURM_JOB_PARTITION" \
    --dependency="afterany:$SLURM_JOB_ID" slurm/controller.sh "$@"
  exit
}

snakemake --profile slurm -j "${NEURO2CARDIO_JOBS:-64}" "$@" &
controller=$!
trap 'go_on "$@"' TERM
wait "$controller"
