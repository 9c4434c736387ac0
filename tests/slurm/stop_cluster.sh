#!/usr/bin/env bash
# Ends the cluster that start_cluster.sh started in a folder, and its jobs: stop_cluster.sh <folder>
set -uo pipefail
folder=$(cd "$1" && pwd)
export SLURM_CONF=$folder/slurm.conf
scancel --quiet --user=root
for _ in $(seq 300); do
    if [ -z "$(squeue --noheader 2>/dev/null)" ]; then
        break
    fi
    sleep 0.1
done
for daemon in slurmd slurmctld munge; do
    if [ -e "$folder/$daemon.pid" ]; then
        process=$(cat "$folder/$daemon.pid")
        kill "$process"
        # It writes its state when it ends. One that has ended may stay a zombie where nobody waits for it.
        for _ in $(seq 300); do
            if ! grep --quiet --no-messages "^State:[[:space:]]*[^Z]" "/proc/$process/status"; then
                break
            fi
            sleep 0.1
        done
    fi
done
exit 0
