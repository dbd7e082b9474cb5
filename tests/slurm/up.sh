#!/usr/bin/env bash
# A real one-node Slurm on this machine, for tests: Debian's packages, no systemd, two pretended GPUs. As root; idempotent.
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
ROOT=${TEST_SLURM_ROOT:-/tmp/neuro2cardio-slurm} # state, logs, key, sockets
CPUS=${TEST_SLURM_CPUS:-8}                       # Slurm is told of this many, whatever the machine has
MEM_MB=${TEST_SLURM_MEM_MB:-64000}               # likewise; a job that takes more than it asked for is killed
GPUS=${TEST_SLURM_GPUS:-2}
HOST=$(hostname -s)
MARK="# written by neuro2cardio/tests/slurm/up.sh"

fail() { echo "slurm: not up: $*" >&2; tail -qn 20 "$ROOT"/log/*.log >&2 || true; exit 1; }
alive() { local pid; pid=$(cat "$ROOT/run/$1.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ]; }
node_state() { timeout 5 sinfo -h -p main -o %t 2>/dev/null || true; }
until_true() { for _ in {1..150}; do "$@" >/dev/null 2>&1 && return; sleep .2; done; return 1; }
node_ready() {
  case $(node_state) in
    idle | mix | alloc) return 0 ;;
    *down* | *drain* | *drng*) scontrol update "nodename=$HOST" state=resume ;;
  esac
  return 1
}

[ "$(id -u)" = 0 ] || { echo "slurm: not up: needs root" >&2; exit 1; }
if [ -e /etc/slurm/slurm.conf ] && ! grep -qF "$MARK" /etc/slurm/slurm.conf; then
  echo "slurm: not up: /etc/slurm/slurm.conf belongs to another cluster" >&2
  exit 1
fi
mkdir -p "$ROOT"/{munge,ctld,spool,log,run,dev} /etc/slurm
chmod 755 "$ROOT"
chmod 711 "$ROOT/munge" # munged refuses a socket that others cannot reach

if ! command -v slurmctld slurmd sbatch munged >/dev/null; then
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends slurm-wlm munge; } >"$ROOT/log/apt.log" 2>&1 ||
    fail "the packages slurm-wlm and munge did not install"
fi
if alive munged && alive slurmctld && alive slurmd && node_ready; then
  echo "slurm: already up"
  exit 0
fi

[ -s "$ROOT/munge/key" ] || (umask 077 && head -c 128 /dev/urandom >"$ROOT/munge/key")
getent hosts "$HOST" >/dev/null || echo "127.0.0.1 $HOST" >>/etc/hosts
echo "AutoDetect=off" >/etc/slurm/gres.conf
for ((i = 0; i < GPUS; i++)); do
  # CUDA_VISIBLE_DEVICES is set for real device nodes only; this one is /dev/null's twin
  [ -c "$ROOT/dev/gpu$i" ] || mknod -m 666 "$ROOT/dev/gpu$i" c 1 3
  echo "Name=gpu Type=pretended File=$ROOT/dev/gpu$i" >>/etc/slurm/gres.conf
done
# What each task of a job was given, for tests to read: Slurm's word, not the workflow's
cat >"$ROOT/task-prolog.sh" <<PROLOG
#!/bin/sh
echo "\$(date +%s) \$SLURM_JOB_ID \$SLURM_PROCID \${CUDA_VISIBLE_DEVICES:-none}" >>"$ROOT/log/tasks.log"
PROLOG
chmod 755 "$ROOT/task-prolog.sh"
# slurmd loads a cgroup plugin even where none is used, and cannot find one out without cgroups or systemd
echo "CgroupPlugin=cgroup/v1" >/etc/slurm/cgroup.conf
# Job steps lose SLURM_CONF, so this must stand at the default place. Without DefMemPerCPU a job takes all memory. A job that
# was requeued waits for cred_expire, two minutes by default.
cat >/etc/slurm/slurm.conf <<CONF
$MARK
ClusterName=test
SlurmctldHost=$HOST(127.0.0.1)
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$ROOT/munge/socket,cred_expire=10
CredType=cred/munge
StateSaveLocation=$ROOT/ctld
SlurmdSpoolDir=$ROOT/spool
SlurmctldPidFile=$ROOT/run/slurmctld.pid
SlurmdPidFile=$ROOT/run/slurmd.pid
SlurmctldLogFile=$ROOT/log/slurmctld.log
SlurmdLogFile=$ROOT/log/slurmd.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
TaskProlog=$ROOT/task-prolog.sh
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$ROOT/log/jobcomp.log
MinJobAge=3600
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=500
GresTypes=gpu
ReturnToService=2
JobRequeue=0
KillWait=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdParameters=config_overrides
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=$CPUS RealMemory=$MEM_MB Gres=gpu:pretended:$GPUS State=UNKNOWN
PartitionName=main Nodes=$HOST Default=YES MaxTime=INFINITE PriorityTier=1
PartitionName=urgent Nodes=$HOST MaxTime=INFINITE PriorityTier=10
CONF

alive munged || munged --key-file="$ROOT/munge/key" --socket="$ROOT/munge/socket" --pid-file="$ROOT/run/munged.pid" \
  --log-file="$ROOT/log/munged.log" --seed-file="$ROOT/munge/seed" </dev/null >/dev/null || fail munged
until_true munge -n -S "$ROOT/munge/socket" || fail "munge does not answer"
alive slurmctld || slurmctld </dev/null >/dev/null || fail slurmctld
alive slurmd || slurmd -N "$HOST" </dev/null >/dev/null || fail slurmd
until_true node_ready || fail "the node is '$(node_state)'"
timeout 60 srun -Q --gpus=1 sh -c '[ -n "$CUDA_VISIBLE_DEVICES" ]' || fail "a job with a GPU did not run"
echo "slurm: up: $(sinfo -h -p main -o '%N, %c CPUs, %m MB, %G'), $(slurmctld -V)"
