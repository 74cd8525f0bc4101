
# ---- from here on the same in all of them ----
if [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
    rm -f "$done" # of another job of this number
elif [ -e "$done" ]; then # requeued although it had finished
    exit 0
fi
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
export OMPI_MCA_oob_tcp_keepalive_time=5 OMPI_MCA_oob_tcp_keepalive_intvl=2 OMPI_MCA_oob_tcp_keepalive_probes=3 # a node that is gone: 30 s, not 8 minutes
if [ -z "${SLURM_JOB_END_TIME:-}" ] && end=$(date -d "$(squeue -h -j "$SLURM_JOB_ID" -o %e)" +%s 2>/dev/null); then
    export SLURM_JOB_END_TIME=$end # an older Slurm does not say it
fi
case $launcher in
    srun) start=(srun --kill-on-bad-exit=1) ;;
    *) start=("$launcher" -q) ;;
esac
trap 'kill -USR1 "$pid"' USR1 TERM HUP # finish what is in flight, note it, leave with 75
"${start[@]}" "${command[@]}" --done "$done" &
pid=$!
code=0
wait "$pid" || code=$?
while kill -0 "$pid" 2>/dev/null; do # a trapped signal ends `wait`, not the program
    code=0
    wait "$pid" || code=$?
done
trap '' USR1 TERM HUP
if [ -e "$done" ]; then # the program says so itself; a launcher's exit code is no proof
    exit 0
fi
case $code in
    75) again=yes ;;                       # stopped in time; each start gets further
    2 | 65 | 66 | 69 | 70 | 73 | 78) again=no ;; # the program's own verdict: the same next time
    *) again=yes; [ "${SLURM_RESTART_COUNT:-0}" -lt 20 ] || again=no ;; # a rank or node is gone, or the launch failed
esac
if [ "$again" = yes ] && [ "$(squeue -h -j "$SLURM_JOB_ID" -o %T)" = RUNNING ]; then # not where it was cancelled
    sleep 5 # for the step to be cleaned up: what it leaves on the nodes (PMIx's sockets) would keep the next one from starting
    trap - TERM
    scontrol requeue "$SLURM_JOB_ID" && sleep 300 # Slurm ends this script, and what it does shall not race with that
fi
[ "$code" != 0 ] || code=1
exit "$code"
