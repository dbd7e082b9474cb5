#!/usr/bin/env bash
# Stop the Slurm of up.sh and remove what it wrote; the installed packages stay.
set -u
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ROOT=${TEST_SLURM_ROOT:-/tmp/neuro2cardio-slurm}
MARK="# written by neuro2cardio/tests/slurm/up.sh"

comm() { cat "/proc/$1/comm" 2>/dev/null; }
jobs_left() { [ -n "$(timeout 5 squeue -h 2>/dev/null)" ]; }

if ! grep -qsF "$MARK" /etc/slurm/slurm.conf; then
  echo "slurm: not up"
  exit 0
fi
timeout 10 scancel --user="$(id -un)" 2>/dev/null
for _ in {1..75}; do jobs_left || break; sleep .2; done
for daemon in slurmd slurmctld munged; do
  pid=$(cat "$ROOT/run/$daemon.pid" 2>/dev/null) || continue
  [ "$(comm "$pid")" = "$daemon" ] || continue
  kill "$pid"
  for _ in {1..100}; do [ "$(comm "$pid")" = "$daemon" ] || break; sleep .1; done
  [ "$(comm "$pid")" != "$daemon" ] || kill -9 "$pid"
done
rm -rf "$ROOT" /etc/slurm/{slurm,gres,cgroup}.conf
echo "slurm: down"
