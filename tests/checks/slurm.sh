#!/bin/bash
# A study on a real Slurm with two logical nodes on this machine, against the same study run locally.
#
#   apt-get install munge slurmctld slurmd slurm-client slurm-wlm-basic-plugins
#   cargo build --release && tests/checks/slurm.sh target/release/losscape
#
# As root, without systemd: the daemons run in the foreground of this script and end with it. 24 runs in 12 tasks; one task is put back into the queue,
# one node is drained midway, and one task is cancelled, so that the first table lacks its runs and the study is submitted again. Prints "equal" and exits 0 when
# the merged table is the local one, columns of times aside; 10 when something is wrong with the study, and anything else when Slurm could not be brought to run it.
set -euo pipefail

tool=$(realpath "${1:-target/release/losscape}")
place=$(mktemp -d)
export SLURM_CONF=$place/slurm.conf
daemons=()
finish() {
    scancel --user=root 2>/dev/null || true
    for daemon in "${daemons[@]}"; do kill "$daemon" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$place"
}
trap finish EXIT

cat >"$SLURM_CONF" <<CONF
ClusterName=local
SlurmctldHost=localhost
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
KillWait=5
MpiDefault=none
StateSaveLocation=$place/state
SlurmdSpoolDir=$place/spool-%n
SlurmctldPidFile=$place/slurmctld.pid
SlurmdPidFile=$place/slurmd-%n.pid
SlurmctldLogFile=$place/slurmctld.log
SlurmdLogFile=$place/slurmd-%n.log
NodeName=n1 NodeHostname=localhost Port=27001 CPUs=1
NodeName=n2 NodeHostname=localhost Port=27002 CPUs=1
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
mkdir -p "$place/state" "$place/spool-n1" "$place/spool-n2" /run/munge /var/log/munge /var/lib/munge
[ -s /etc/munge/munge.key ] || { dd if=/dev/urandom of=/etc/munge/munge.key bs=1024 count=1 2>/dev/null; chmod 400 /etc/munge/munge.key; }
chown -R munge: /run/munge /var/log/munge /var/lib/munge /etc/munge
su -s /bin/bash munge -c "munged --foreground" >"$place/munged.log" 2>&1 & daemons+=($!)
sleep 1
slurmctld -D >/dev/null 2>&1 & daemons+=($!)
slurmd -D -N n1 >/dev/null 2>&1 & daemons+=($!)
slurmd -D -N n2 >/dev/null 2>&1 & daemons+=($!)
for _ in $(seq 60); do
    [ "$(sinfo --noheader --states=idle --format=%D 2>/dev/null || echo 0)" = 2 ] && break
    sleep 1
done
sinfo
[ "$(sinfo --noheader --states=idle --format=%D)" = 2 ] || { echo "the nodes do not come up"; exit 3; }

cat >"$place/slurm.toml" <<'STUDY'
[data]
name = "digits"
[model]
name = "mlp"
activation = "tanh"
[loss]
name = "cross-entropy"
[optimizer]
name = "momentum"
learning_rate = 0.01
[training]
batch_size = 32
steps = 15000
checkpoint_every = 500
[study]
measures = ["bounds", "norms"]
samples = 300
[study.axes]
"model.hidden" = [[32, 32], [64, 64]]
"optimizer.learning_rate" = [0.002, 0.005, 0.01]
seed = [0, 1, 2, 3]
STUDY

cd "$place"
"$tool" study run slurm.toml --out local -j 2 >local.log 2>&1
tail -n 60 local.log | head -n 1

begin=$SECONDS
"$tool" study submit slurm.toml --out cluster --launcher slurm --chunk 2
job=$(squeue --noheader --format=%A --sort=i | head -n 1)
sleep 8
# A task that runs now; between two tasks there is none for a moment.
running() {
    for _ in $(seq 100); do
        task=$(squeue --noheader --states=running --format=%i --sort=i | head -n 1)
        [ -z "$task" ] || return 0
        sleep 0.1
    done
    squeue
    echo "no task runs"
    return 1
}
running
echo "after 8 s, back into the queue: $task"
scontrol requeue "$task"
sleep 4
echo "after 12 s, drained: n2"
scontrol update NodeName=n2 State=DRAIN Reason=check
sleep 3
running
echo "after 15 s, cancelled: $task"
scancel "$task"
sleep 12
if squeue --noheader --format=%i | grep -qx "$task"; then echo "it is in the queue again"; exit 10; fi
echo "after 27 s, in use again: n2"
scontrol update NodeName=n2 State=RESUME
done_all() {
    while [ -n "$(squeue --noheader)" ]; do
        [ $((SECONDS - begin)) -lt 600 ] || { squeue; echo "not done after ten minutes"; exit 1; }
        sleep 1
    done
}
done_all
echo "job $job ended after $((SECONDS - begin)) s"
head -n 2 cluster/slurm/cluster/merge.log
"$tool" study submit slurm.toml --out cluster --launcher slurm --chunk 2
done_all
echo "all done after $((SECONDS - begin)) s"
grep -h "rows in" cluster/slurm/cluster/merge.log
grep -h "going on\|stopped" cluster/slurm/cluster/*.log | sort | uniq -c || true

python3 - <<'PYTHON' || exit 10
import csv

def rows(path):
    with open(path, newline="") as file:
        return [{k: v for k, v in row.items() if k not in ("wall_s", "steps_per_s")} for row in csv.DictReader(file)]

local, cluster = rows("local/slurm/results.csv"), rows("cluster/slurm/results.csv")
assert len(local) == 24, len(local)
assert local == cluster, "the tables differ"
print("equal:", len(cluster), "rows,", len(cluster[0]), "columns")
PYTHON
