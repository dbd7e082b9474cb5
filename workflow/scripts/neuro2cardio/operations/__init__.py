"""Running the grid: its plan and cost, its Slurm jobs, and the integrity of its files."""
