#!/usr/bin/env bash
# Starts Slurm on this one machine, sends four small runs through Snakemake's Slurm executor, kills
# one of their jobs in mid-run, and checks that the job sent again went on from the checkpoint.
# Needs root on Debian or Ubuntu; installs slurm-wlm if it is missing. Usage: workflow/test_slurm.sh PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
conf=/etc/slurm/slurm.conf
marker="# written by workflow/test_slurm.sh"
work=$(mktemp -d)
pids=()  # what was started here; nothing else is ended
slurm=

stop() {
    if [ -n "$slurm" ]; then  # it is ours, and so are its jobs
        squeue --noheader --format %A 2>/dev/null | xargs -r scancel --signal=KILL --full 2>/dev/null || true
        for _ in $(seq 10); do [ -z "$(squeue --noheader 2>/dev/null)" ] && break; sleep 1; done
    fi
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill "${pids[i]}" 2>/dev/null && wait "${pids[i]}" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap stop EXIT

start() {  # a daemon that does not go into the background by itself, so that its process is known
    "$@" >>"$work/daemons.log" 2>&1 &
    pids+=($!)
}

[ "$(id -u)" = 0 ] || { echo "test_slurm: needs root, to start Slurm's daemons" >&2; exit 2; }
command -v slurmctld >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy slurm-wlm; }
if [ -e "$conf" ] && ! grep -q "$marker" "$conf"; then
    echo "test_slurm: $conf exists and is not ours; this machine seems to have a Slurm of its own" >&2
    exit 2
fi
for daemon in slurmctld slurmd; do
    ! pgrep -x "$daemon" >/dev/null || { echo "test_slurm: $daemon runs already, and is not ours; stop it first" >&2; exit 2; }
done

mkdir -p /etc/slurm /run/munge /var/spool/slurmd /var/spool/slurmctld
chown munge: /run/munge
if ! pgrep -x munged >/dev/null; then  # one that runs, as the package may start it, serves and stays
    start setpriv --reuid munge --regid munge --clear-groups munged --foreground --force
    for _ in $(seq 60); do [ -S /run/munge/munge.socket.2 ] && break; sleep 0.5; done
fi
cat >"$conf" <<CONF
$marker
ClusterName=here
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
ReturnToService=2
MinJobAge=3600
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(($(free -m | awk '/^Mem/{print $2}') * 9 / 10)) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
slurm=started
start slurmctld -D -c
start slurmd -D -c
for _ in $(seq 60); do sinfo -h -o %T 2>/dev/null | grep -q idle && break; sleep 1; done
sinfo -h -o %T | grep -q idle || { echo "test_slurm: the node did not come up" >&2; cat "$work/daemons.log" >&2; exit 1; }

# Three short runs and one long enough to be caught in the middle.
cat >"$work/runs.json" <<RUNS
[{"dataset": "smoke", "model": "vgg", "seed": 0, "max_epochs": 2},
 {"dataset": "smoke", "model": "vgg", "seed": 1, "max_epochs": 2},
 {"dataset": "smoke", "model": "cnn2", "seed": 0, "max_epochs": 2},
 {"dataset": "smoke", "model": "cnn_bn", "seed": 7, "max_epochs": 60}]
RUNS
store=$work/results
"$python" -m snakemake records --executor slurm --slurm-status-command squeue --jobs 4 --latency-wait 30 \
    --default-resources slurm_account=root disk_mb=100 \
    --config runs="$work/runs.json" store="$store" threads=1 mem_mb=2000 minutes=30 retries=2 &
snakemake=$!
pids+=("$snakemake")

victim=$("$python" -m spectra_lib campaign plan --store "$store" --runs "$work/runs.json" --ids | grep cnn_bn)
echo "test_slurm: waiting for $victim to be in mid-run"
for _ in $(seq 900); do
    ls "$store/.work/$victim"/state-*.npz >/dev/null 2>&1 && break
    kill -0 "$snakemake" 2>/dev/null || { echo "test_slurm: Snakemake ended too early" >&2; exit 1; }
    sleep 1
done
ls "$store/.work/$victim"/state-*.npz >/dev/null || { echo "test_slurm: $victim wrote no checkpoint in 15 minutes" >&2; exit 1; }
# Snakemake writes the run into the comment of its job.
job=$(squeue --noheader --states running --format '%A %k' | awk -v run="$victim" 'index($0, run) {print $1}')
[ -n "$job" ] || { echo "test_slurm: no running job has $victim in its comment" >&2; squeue --format '%A %T %k' >&2; exit 1; }
scancel --signal=KILL --full "$job"
echo "test_slurm: killed Slurm job $job with $victim"
wait "$snakemake"

"$python" - "$store" "$victim" <<'CHECK'
import sys
from spectra_lib.runs.records import load_records

store, victim = sys.argv[1:]
records = load_records(store)
assert len(records) == 4, f"expected 4 records, found {len(records)}"
assert not any(record.faults() for record in records), [record.faults() for record in records]
(caught,) = [record for record in records if record.spec.run_id == victim]
starts = [session.first_epoch for session in caught.sessions]
assert len(starts) == 2 and starts[1] > 0, f"expected two sessions, the second resumed; first epochs {starts}"
print(f"test_slurm: passed; 4 records, {victim} resumed at epoch {starts[1]} of {len(caught.history)}")
CHECK
