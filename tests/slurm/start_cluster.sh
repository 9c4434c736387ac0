#!/usr/bin/env bash
# A Slurm cluster of one node, this machine, for tests: start_cluster.sh <folder>
#
# Needs root and Debian's slurm-wlm and munge. Everything lies in the folder, and nothing is left elsewhere; commands
# find the cluster by SLURM_CONF=<folder>/slurm.conf. Starting one that runs does nothing; stop_cluster.sh ends it.
set -euo pipefail
mkdir -p "$1"
folder=$(cd "$1" && pwd)
export SLURM_CONF=$folder/slurm.conf
if [ -e "$SLURM_CONF" ] && scontrol ping 2>/dev/null | grep -q UP; then
    exit 0
fi
mkdir -p "$folder"/{state,spool}
# Munge wants nobody else to be able to write to where its socket and key are.
chmod 755 "$folder"

if [ ! -e "$folder/munge.key" ]; then
    head --bytes=1024 /dev/urandom > "$folder/munge.key"
    chmod 600 "$folder/munge.key"
fi
munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munge.pid" \
    --log-file="$folder/munge.log" --seed-file="$folder/munge.seed"

# The node says that it has eight CPUs, so that jobs start beside each other wherever tests run. A requeued job waits
# for cred_expire seconds. KillWait is the time a job has between SIGTERM and SIGKILL.
read -r controller_port node_port < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in sockets))')
cat > "$SLURM_CONF" << CONFIG
ClusterName=tests
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$controller_port
SlurmdPort=$node_port
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=5
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1
ReturnToService=2
KillWait=10
JobRequeue=1
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=8 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONFIG
slurmctld -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF"

for _ in $(seq 300); do
    if sinfo --noheader --format=%T 2>/dev/null | grep -q idle; then
        exit 0
    fi
    sleep 0.1
done
echo "start_cluster.sh: the node is not ready after 30 seconds: see $folder/*.log" >&2
exit 1
