#!/usr/bin/env bash
# launch.sh N PROGRAM [ARGUMENT...]: N ranks under $MPIEXEC, more than there are cores where need be. The one place that knows which
# options a launcher has; what follows N goes to it as it stands, so `: -n 1 OTHER` starts other programs beside.
case $("${MPIEXEC:?}" --version 2>&1) in
    *"Open MPI"* | *OpenRTE*) # quiet; once a rank has left with an error, the others are stopped at once, not after a second
        options=(-q --oversubscribe --bind-to none --mca odls_base_sigkill_timeout 0) ;;
    *) options=() ;; # MPICH and its relatives bind nothing and count no cores
esac
exec "$MPIEXEC" "${options[@]}" -n "$@"
