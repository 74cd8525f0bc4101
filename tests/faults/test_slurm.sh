#!/usr/bin/env bash
# test_slurm.sh [all]: studies as jobs of a private Slurm with virtual nodes, disturbed in every way that a cluster knows; the result is
# always that of an undisturbed run on this machine.
set -u
for program in sbatch slurmctld slurmd munged; do
    command -v "$program" >/dev/null || { echo "skipped: $program is missing (Debian: slurmctld slurmd slurm-client munge)"; exit 77; }
done
. "$(dirname "$0")/cluster.sh"
slurm=$tools/slurm-local.sh
trap 'clear_up "$slurm" stop "$work/c" >/dev/null 2>&1' EXIT
cd "$work" || exit 2
mkdir -p c

# Job ids of two such clusters must not be equal: MPI names memory after them. What is in the partition `urgent` takes the nodes of what is in the
# other one, `main`.
start_cluster() { # NODES
    EXTRA="FirstJobId=$((1000 + $$ % 30000))
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=urgent Nodes=ALL PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE State=UP" "$slurm" start "$work/c" "$1" >"$work/start" 2>&1 || { cat "$work/start"; skip "a private Slurm does not start here"; }
    eval "$("$slurm" env "$work/c")"
}

state() { # of a job
    scontrol -o show job "$1" 2>/dev/null | sed -n 's/.* JobState=\([A-Z_]*\) .*/\1/p' | tail -n 1
}
# A job that Slurm has put back waits for two minutes before it is started again: here eight seconds, since for some a node still refuses the
# job that it has just ended ("already killed, do not launch batch job").
waits=0
nudge_job() {
    waits=$((waits + 1))
    if [ $waits -ge 30 ]; then
        waits=0
        scontrol update jobid="$1" StartTime=now >/dev/null 2>&1
    fi
}
nudge() {
    [ "$(state "$job")" = PENDING ] && nudge_job "$job"
}
# ends JOB SECONDS: waits for its end, says how.
ends() {
    local end=$((SECONDS + $2)) now lasts=0
    while [ $SECONDS -lt $end ]; do
        now=$(state "$1")
        case $now in
            PENDING | REQUEUED)
                lasts=0
                nudge_job "$1" ;;
            RUNNING | COMPLETING | CONFIGURING | "") lasts=0 ;;
            COMPLETED) echo "$now"; return ;;
            *) # FAILED is also what a job is between its end and the queue
                lasts=$((lasts + 1))
                [ $lasts -lt 12 ] || { echo "$now"; return; } ;;
        esac
        sleep 0.3
    done
    echo "$(state "$1") after $2 s"
}
# expect NAME JOB STATE SECONDS
expect() {
    local found
    found=$(ends "$2" "$4")
    [ "$found" = "$3" ] && pass || { fail "$1: job $2 is $found, expected $3"; tail -n 30 "./digits-$2.log"; squeue; sinfo; }
}
starts_again() { # starts_again JOB: how often it was
    scontrol -o show job "$1" | sed -n 's/.* Restarts=\([0-9]*\) .*/\1/p'
}
# submit RESULT ARGUMENT...: leaves the number of the (last) job in $job.
submit() {
    local result=$1
    shift
    "$POLLARD" submit "$study" -o "$result" --time 20m --script "$work/job.sbatch" --go "$@" >"$work/out" 2>"$work/err" ||
        { fail "submit $*"; cat "$work/err"; finish; }
    job=$(sed -nE 's/^Jobs? .*[^0-9]([0-9]+), which joins.*/\1/p; s/^Job ([0-9]+)\..*/\1/p' "$work/out")
    shares=$(sed -nE 's/^Jobs ([0-9]+) .*/\1/p' "$work/out")
}

straight() { # straight RESULT ARGUMENT...: without Slurm
    (unset SLURM_CONF; ranks 2 run "$study" -o "$@" >/dev/null 2>"$work/err") || { fail "straight run"; cat "$work/err"; finish; }
}

smoke() {
    submit s.h5 "${small[@]}" --nodes 2 --ranks-per-node 1
    expect smoke "$job" COMPLETED 60
    same smoke s.h5 small.h5
    [ -e "s.h5.done-$job" ] && [ ! -e s.h5.journal ] && pass || fail "smoke: no finished marker, or a journal is left"
}

array() {
    submit a.h5 "${small[@]}" --array 3 --ranks-per-node 2
    expect array "$job" COMPLETED 120
    same array a.h5 small.h5
    [ "$(find . -maxdepth 1 -name "a.h5.done-${shares}_*" | wc -l)" = 3 ] && pass || fail "array: a share without its marker"
    grep -q "items" "digits-merge-$job.log" 2>/dev/null || [ -s "digits-merge-$job.log" ] && pass || fail "array: the joining job says nothing"
    # A share that cannot be computed: the join never runs.
    sed -i 's/^command=.*/command=(sh -c "exit 66")/' job.sbatch
    shares=$(sbatch --parsable job.sbatch)
    job=$(sbatch --parsable --dependency=afterok:"$shares" --kill-on-invalid-dep=yes job.sbatch.merge)
    expect "a share that fails" "$job" CANCELLED 60
}

# slurm/*.sbatch as somebody fills them in by hand, and submits them as their first lines say.
templates() {
    local template shares
    mkdir -p by_hand/configs bin
    cp "$study" by_hand/configs/my-study.yaml
    ln -sfn "$SOURCE/examples" by_hand/examples
    ln -sf "$POLLARD" bin/pollard
    for template in one-node many-nodes array merge; do
        sed -e 's/--ntasks-per-node=64/--ntasks-per-node=2/' -e 's/--nodes=8/--nodes=2/' -e 's/--mem=.*/--mem=1G/' -e 's/1-20$/1-3/; s|/20")|/3")|' \
            -e "s#pollard [a-z]* my-study.yaml#& $(printf "'%s' " "${small[@]}")#" "$SOURCE/slurm/$template.sbatch" >"by_hand/configs/$template.sbatch"
    done
    cd by_hand/configs || exit 2
    for template in one-node many-nodes; do
        rm -f my-study.h5
        job=$(PATH=$work/bin:$PATH sbatch --parsable "$template.sbatch")
        expect "$template.sbatch" "$job" COMPLETED 60
        same "$template.sbatch" my-study.h5 "$work/small.h5"
        [ -e "my-study.h5.done-$job" ] && [ -e "my-study-$job.log" ] && pass || fail "$template.sbatch: no finished marker, or no log"
    done
    rm -f my-study.h5
    shares=$(PATH=$work/bin:$PATH sbatch --parsable array.sbatch)
    job=$(PATH=$work/bin:$PATH sbatch --parsable --dependency=afterok:"$shares" --kill-on-invalid-dep=yes merge.sbatch)
    expect merge.sbatch "$job" COMPLETED 120
    same merge.sbatch my-study.h5 "$work/small.h5"
    [ "$(find . -maxdepth 1 -name "my-study.h5.done-${shares}_*" | wc -l)" = 3 ] && pass || fail "array.sbatch: a share without its marker"
    cd "$work" || exit 2
}

# The signal before the end, and any other that stops: noted, put back, gone on.
signalled() { # signalled NAME SCANCEL_ARGUMENT...
    local name=$1
    shift
    submit "$name.h5" "${long[@]}" --nodes 3 --ranks-per-node 2 "${more[@]}"
    until_at "$name.h5" 20 120 || fail "$name: makes no progress"
    scancel "$@" "$job"
    expect "$name" "$job" COMPLETED 300
    [ "$(starts_again "$job")" -ge 1 ] && pass || fail "$name: the job was not started again"
    [ "$(restored "$name.h5")" -ge 20 ] && pass || fail "$name: $(restored "$name.h5") items were found again, expected 20 or more"
    same "$name" "$name.h5" long.h5
}

cancelled() {
    submit cancelled.h5 "${long[@]}" --nodes 2 --ranks-per-node 2
    until_at cancelled.h5 20 120 || fail "cancelled: makes no progress"
    scancel "$job"
    expect cancelled "$job" CANCELLED 60
    sleep 3
    [ "$(state "$job")" = CANCELLED ] && [ ! -e cancelled.h5 ] && pass || fail "cancelled: the job came back"
    "$POLLARD" status cancelled.h5 >/dev/null
    [ $? = 75 ] && pass || fail "cancelled: status does not say that the study is not done"
    submit cancelled.h5 "${long[@]}" --nodes 1 --ranks-per-node 2
    expect "cancelled and submitted again" "$job" COMPLETED 300
    [ "$(restored cancelled.h5)" -ge 20 ] && pass || fail "cancelled: $(restored cancelled.h5) items were found again"
    same cancelled cancelled.h5 long.h5
}

controller() {
    submit controller.h5 "${long[@]}" --nodes 3 --ranks-per-node 2
    until_at controller.h5 20 120 || fail "controller: makes no progress"
    "$slurm" ctl-stop "$work/c"
    sleep 2
    "$slurm" ctl-start "$work/c"
    expect controller "$job" COMPLETED 300
    [ "$(starts_again "$job")" = 0 ] && pass || fail "controller: the job was disturbed"
    same controller controller.h5 long.h5
}

# lost NAME NODE ARGUMENT...: the node loses its power, or its link, and comes back when Slurm has noticed.
lost() {
    local name=$1 node=$2 end away=("$slurm" killnode) back=("$slurm" startnode)
    [ "$name" != link_cut ] || { away=("$tools/netns-cluster.sh" cut); back=("$tools/netns-cluster.sh" heal); }
    shift 2
    submit "$name.h5" "${long[@]}" --nodes 3 --ranks-per-node 2 "$@"
    until_at "$name.h5" 20 120 || fail "$name: makes no progress"
    "${away[@]}" "$work/c" "$node"
    end=$((SECONDS + 90))
    while ! sinfo -h -N -n "n$node" -o %T | grep -q '^down' && [ $SECONDS -lt $end ]; do sleep 0.5; done
    "${back[@]}" "$work/c" "$node"
    expect "$name" "$job" COMPLETED 300
    [ "$(starts_again "$job")" -ge 1 ] && pass || fail "$name: the job was not started again"
    [ "$(restored "$name.h5")" -ge 20 ] && pass || fail "$name: $(restored "$name.h5") items were found again"
    same "$name" "$name.h5" long.h5
    while ! sinfo -h -N -n "n$node" -o %T | grep -q '^idle' && [ $SECONDS -lt $((end + 60)) ]; do sleep 0.5; done
}

# preempted NAME GRACE SIGNAL ARGUMENT...: the nodes are wanted by a more important job, and Slurm takes them GRACE seconds after it has told this one, which has left
# them before. SIGNAL: what the ranks say that stopped them; with mpirun nothing, since Slurm's TERM goes to the daemons of its step, not to them. Without GRACE all
# are ended at once, and it is Slurm that puts the job back.
preempted() {
    local name=$1 grace=$2 signal=$3 low
    shift 3
    scontrol update partitionname=main GraceTime="$grace"
    "$POLLARD" submit "$study" -o "urgent.$name.h5" --time 20m --script "$work/urgent.sbatch" "${small[@]}" --nodes 3 --ranks-per-node 2 --partition urgent >/dev/null 2>"$work/err" ||
        { fail "$name: submit"; cat "$work/err"; }
    submit "$name.h5" "${long[@]}" --nodes 3 --ranks-per-node 2 "$@"
    low=$job
    until_at "$name.h5" 20 120 || fail "$name: makes no progress"
    job=$(sbatch --parsable urgent.sbatch) # planned before: the other job shall not end meanwhile
    expect "$name: the important job" "$job" COMPLETED 120
    [ -e "$name.h5" ] && fail "$name: the job had ended before it was preempted"
    expect "$name" "$low" COMPLETED 300
    [ "$(starts_again "$low")" -ge 1 ] && pass || fail "$name: the job was not started again"
    if [ "$grace" = 0 ]; then
        grep -q 'DUE TO PREEMPTION' "digits-$low.log" && pass || { fail "$name: was not preempted"; cat "digits-$low.log"; }
    else
        [ "$signal" = - ] || grep -q "stopped on request (signal $signal," "digits-$low.log" && pass || { fail "$name: no rank was stopped by signal $signal"; cat "digits-$low.log"; }
        ! grep -q 'DUE TO PREEMPTION' "digits-$low.log" && pass || fail "$name: Slurm had to end the job"
    fi
    [ "$(restored "$name.h5")" -ge 20 ] && pass || fail "$name: $(restored "$name.h5") items were found again"
    same "$name" "$name.h5" long.h5
    same "$name: the important job" "urgent.$name.h5" small.h5
    scontrol update partitionname=main GraceTime=0
}

# As sites do that want the signal which a job has asked for (`--signal=B:USR1@120`) instead of TERM to its ranks.
preempted_warned() {
    "$slurm" ctl-stop "$work/c"
    echo SlurmctldParameters=preempt_send_user_signal >>"$SLURM_CONF"
    "$slurm" ctl-start "$work/c"
    preempted preempted_warned 40 10
}

# A rank dies, on one node, where no closed connection tells the other: Slurm's PMIx notices, or else srun (--kill-on-bad-exit).
all_ranks() {
    ranks_of 1; ranks_of 2; ranks_of 3
}
killed_rank() {
    local p began
    submit killed_rank.h5 "${long[@]}" --nodes 1 --ranks-per-node 2
    until_at killed_rank.h5 20 120 || fail "killed_rank: makes no progress"
    p=$(all_ranks | tail -n 1)
    began=$SECONDS
    [ -n "$p" ] && kill -KILL "$p" && pass || fail "killed_rank: no rank"
    while [ -n "$(all_ranks)" ] && [ $((SECONDS - began)) -lt 60 ]; do sleep 0.3; done
    [ $((SECONDS - began)) -le 30 ] && pass || fail "killed_rank: the others ended after $((SECONDS - began)) s, expected at most 30"
    expect killed_rank "$job" COMPLETED 300
    [ "$(starts_again "$job")" = 1 ] && pass || fail "killed_rank: started again $(starts_again "$job") times, expected once"
    [ "$(restored killed_rank.h5)" -ge 20 ] && pass || fail "killed_rank: $(restored killed_rank.h5) items were found again"
    same killed_rank killed_rank.h5 long.h5
}

# A launcher that says all is well although nothing ran.
liar() {
    submit liar.h5 "${small[@]}" --nodes 1 --ranks-per-node 1
    expect liar "$job" COMPLETED 60
    sed -e 's/^command=.*/command=(true)/' -e 's/-lt 20/-lt 1/' job.sbatch >liar.sbatch
    job=$(sbatch --parsable liar.sbatch)
    expect "nothing ran" "$job" FAILED 60
    [ "$(starts_again "$job")" = 1 ] && pass || fail "nothing ran: not tried again"
}

# The warning before the end of the job's time: Slurm looks every 30 s whether to send it, so the one rank needs longer than that.
in_time() {
    local longer=("${long[@]}" --set tasks.seeds=16)
    straight longer.h5 "${longer[@]}"
    submit in_time.h5 "${longer[@]}" --nodes 1 --ranks-per-node 1
    scontrol hold "$job"; scancel "$job"
    sed -e 's/^#SBATCH --time=.*/#SBATCH --time=1/' -e 's/USR1@120/USR1@40/' job.sbatch >in_time.sbatch
    sed -i 's/^command=(/command=(nice -n 19 /' in_time.sbatch
    job=$(sbatch --parsable in_time.sbatch)
    expect in_time "$job" COMPLETED 400
    [ "$(starts_again "$job")" -ge 1 ] && pass || fail "in_time: was not stopped before its time was over"
    same in_time in_time.h5 longer.h5
}

straight small.h5 "${small[@]}" # in a second; "${long[@]}" takes ten
if [ "${1:-}" != all ]; then
    start_cluster 2
    smoke
    finish
fi
start_cluster 3
straight long.h5 "${long[@]}"
more=()
for case in ${CASES:-smoke array templates liar step_signal warning mpirun hangup terminated cancelled controller killed_rank
    preempted_asked preempted_at_once preempted_mpirun preempted_warned lost_batch lost_other lost_mpirun link_cut in_time}; do
    began=$SECONDS
    case $case in
        step_signal) signalled step_signal --signal=USR1 ;;
        warning) signalled warning --batch --signal=USR1 ;;
        hangup) signalled hangup --batch --signal=HUP ;;
        mpirun) more=(--launcher mpirun); signalled mpirun --batch --signal=USR1; more=() ;;
        terminated) signalled terminated --batch --signal=TERM ;;
        preempted_asked) preempted preempted_asked 40 15 ;;
        preempted_at_once) preempted preempted_at_once 0 - ;;
        preempted_mpirun) preempted preempted_mpirun 40 - --launcher mpirun ;;
        lost_batch) lost lost_batch 1 ;;
        lost_other) lost lost_other 3 ;;
        link_cut) lost link_cut 3 ;;
        lost_mpirun) lost lost_mpirun 2 --launcher mpirun ;;
        *) "$case" ;;
    esac
    echo "$case: $((SECONDS - began)) s, $passed passed, $failed failed"
done
finish
