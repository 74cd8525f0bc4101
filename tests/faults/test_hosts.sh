#!/usr/bin/env bash
# test_hosts.sh [all]: three hosts without Slurm, in network namespaces: a rank is killed, a host is, a link is cut. The launcher ends by itself within 30 s, not
# with 0, nothing is left on any host, and the same command goes on to the same result.
set -u
. "$(dirname "$0")/cluster.sh"
hosts=$tools/netns-cluster.sh
trap 'clear_up "$hosts" down "$work/c" >/dev/null 2>&1' EXIT
cd "$work" || exit 2
mkdir -p c
export NETNS_CLUSTER_DIR=$work/c
"$hosts" up "$work/c" 3 >"$work/up" 2>&1 || { cat "$work/up"; skip "three hosts cannot be made here"; }

# What docs/cluster.md tells to set where there is no Slurm; the agent stands for ssh.
mpi=("$MPIEXEC" -q --mca plm_rsh_agent "$tools/mpi-netns-agent.sh" --hostfile "$work/c/hostfile" --mca btl_tcp_if_include "$SUBNET.0/24"
    --mca oob_tcp_if_include "$SUBNET.0/24" --mca oob_tcp_keepalive_time 5 --mca oob_tcp_keepalive_intvl 2 --mca oob_tcp_keepalive_probes 3
    --bind-to none --mca mpi_yield_when_idle 1 -x OPENBLAS_NUM_THREADS -x OMP_NUM_THREADS -n)
start() { # start RANKS RESULT: in the background, its number in $mpirun
    timeout -k 10 400 "${mpi[@]}" "$1" "$POLLARD" run "$study" -o "$2" "${long[@]}" >"$work/log" 2>&1 &
    mpirun=$!
}

# disturbed NAME COMMAND...: while six ranks on three hosts are at work.
disturbed() {
    local name=$1 code at k took left=0
    shift
    start 6 "$name.h5"
    until_at "$name.h5" 20 120 || { fail "$name: makes no progress"; cat "$work/log"; }
    "$@"
    at=$SECONDS
    wait "$mpirun"
    code=$?
    took=$((SECONDS - at))
    [ "$code" != 0 ] && [ "$code" != 124 ] && [ ! -e "$name.h5" ] && pass || { fail "$name: exit code $code"; tail "$work/log"; }
    [ "$took" -le 30 ] && pass || fail "$name: ended after $took s, expected at most 30"
    "$hosts" heal "$work/c" 3
    for k in 1 2 3; do
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            left=$(ranks_of "$k" | wc -l)
            [ "$left" = 0 ] && break
            sleep 1
        done
        [ "$left" = 0 ] && pass || fail "$name: $left ranks are left on host $k"
    done
    start 4 "$name.h5"
    wait "$mpirun" && pass || { fail "$name: does not go on"; cat "$work/log"; }
    [ "$(restored "$name.h5")" -ge 20 ] && pass || fail "$name: $(restored "$name.h5") items were found again"
    same "$name" "$name.h5" straight.h5
    echo "$name: exit code $code after $took s"
}

kill_rank() { # kill_rank HOST
    local p
    p=$(ranks_of "$1" | head -n 1)
    [ -n "$p" ] && kill -KILL "$p"
}

ranks 2 run "$study" -o straight.h5 "${long[@]}" >/dev/null 2>&1 || { fail "straight run"; finish; }
disturbed rank_killed kill_rank 2
if [ "${1:-}" = all ]; then
    disturbed link_cut "$hosts" cut "$work/c" 3
    disturbed host_killed "$hosts" killhost "$work/c" 3
fi
finish
