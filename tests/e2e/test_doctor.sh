#!/usr/bin/env bash
# pollard doctor: all is well where it is, and what is broken on purpose is found, with what to do and the exit code.
. "$(dirname "$0")/lib.sh"
limit=60
checks="mpi launcher ranks threads processor blas scalapack hdf5 output memory arithmetic search"
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
timeout=$(command -v timeout) # for when PATH is empty
unset OPENBLAS_CORETYPE HDF5_USE_FILE_LOCKING
here=$work/here
mkdir "$here"
cd "$here" || exit 2

# see CODE STATE CHECK TEXT WHAT: the last report (in $work/stdout, exit code in $got) says so; anything but ok says what to do in the next line.
see() {
    local code=$1 state=$2 check=$3 text=$4 what=$5 line
    line=$(grep -E "^$check +$state " "$work/stdout")
    if [ "$got" -ne "$code" ]; then
        fail "$what: exit code $got instead of $code"
    elif [[ $line != *"$text"* ]] || [ -z "$line" ]; then
        fail "$what: expected '$check $state ... $text'"
    elif [ "$state" != ok ] && ! grep -A1 -E "^$check +$state " "$work/stdout" | tail -n 1 | grep -q '^    what to do: .'; then
        fail "$what: no advice"
    elif [ "$code" -ne 0 ] && ! grep -q "pollard: error.*FAILED: .*$check" "$work/stderr"; then
        fail "$what: the message does not name the check"
    elif [ -n "$(ls -A "$here")" ]; then
        fail "$what: left behind: $(ls -A "$here")"
    else
        pass
        return
    fi
    sed 's/^/    /' "$work/stdout" "$work/stderr"
}
alone() {
    "$timeout" -k 5 "$limit" "$POLLARD" doctor "$@" >"$work/stdout" 2>"$work/stderr"
    got=$?
}
on() { # on N ARGUMENT...
    local n=$1
    shift
    ranks "$n" doctor "$@" >"$work/stdout" 2>"$work/stderr"
    got=$?
}

# Where several MPI libraries are installed, mpirun may be that of another one.
mkdir "$work/fitting"
ln -s "$(command -v "$MPIEXEC")" "$work/fitting/mpirun"
PATH=$work/fitting:$PATH

# All is well: one line a check, nothing FAILED.
alone
for check in $checks; do
    [ "$(grep -cE "^$check +(ok|warning) " "$work/stdout")" -eq 1 ] && pass || fail "alone: not one line about $check, or it FAILED"
done
see 0 ok threads "1 (OPENBLAS_NUM_THREADS) on" "alone"
see 0 ok launcher "started alone" "alone"
see 0 ok blas " convolutions: " "alone"
see 0 ok output "trial file was written, replaced, read, locked" "alone"
cores=$(env -u OMP_NUM_THREADS nproc) # which it would believe
if [ "$cores" -ge 2 ]; then
    on 2
    see 0 ok arithmetic "the same bits on all ranks" "two ranks"
    see 0 ok ranks "2 on " "two ranks"
    see 0 ok threads "2 (OPENBLAS_NUM_THREADS) on" "two ranks"
fi

# Two threads too many: asked for, or as ranks that share a core.
OPENBLAS_NUM_THREADS=$((cores + 2)) alone
see 69 FAILED threads "2 threads too many: 1 rank with $((cores + 2)) threads" "OPENBLAS_NUM_THREADS"
OMP_NUM_THREADS=$((cores + 2)) alone
see 69 FAILED threads "2 threads too many" "OMP_NUM_THREADS"
if [ "$cores" -eq 2 ]; then
    OPENBLAS_NUM_THREADS=2 on 2
    see 69 FAILED threads "2 threads too many: 2 ranks with 4 threads together on 2 processors" "two ranks, two threads each"
fi
first=$(sed -n 's/^Cpus_allowed_list:[^0-9]*\([0-9]*\).*/\1/p' /proc/self/status 2>/dev/null)
if [ -n "$first" ] && command -v taskset >/dev/null; then
    timeout -k 5 "$limit" "$launch" 2 taskset -c "$first" "$POLLARD" doctor : -n 1 "$POLLARD" doctor \
        >"$work/stdout" 2>"$work/stderr"
    got=$?
    see 69 FAILED threads "thread" "two ranks on one core, a third on any"
    env -u OPENBLAS_NUM_THREADS -u OMP_NUM_THREADS taskset -c "$first" "$POLLARD" doctor >"$work/stdout" 2>"$work/stderr"
    got=$?
    see 0 ok threads "1 (one a rank) on 1 processor" "nothing set, one core"
fi

# The folder of the result.
touch "$work/file"
for n in alone "on 2"; do
    $n -o "$work/file/result.h5"
    see 73 FAILED output "$work/file" "a file for a folder, $n"
done
if [ -d /proc/self ]; then
    alone -o /proc/self/result.h5
    see 73 FAILED output "cannot be written to" "a folder that takes no files"
fi
mkdir "$work/taken.h5"
alone -o "$work/taken.h5"
see 73 FAILED output "found a folder" "a folder for a file"
alone -o "$here/a/b/c/result.h5" # made for the trial, and gone with it
see 0 ok output "/a/b/c (" "missing folders"
mkdir "$work/kept"
alone -o "$work/kept/new/result.h5"
[ -d "$work/kept" ] && [ ! -e "$work/kept/new" ] && pass || fail "only the folders that it made are removed"
echo old >"$work/kept/result.h5"
alone -o "$work/kept/result.h5"
[ "$(cat "$work/kept/result.h5")" = old ] && [ "$(ls "$work/kept")" = result.h5 ] && pass || fail "an old result is untouched"

# The launcher: none, one of another MPI, and one that starts processes which do not find each other.
mkdir "$work/path"
PATH=$work/path alone
see 69 FAILED launcher "neither mpirun, mpiexec nor srun is on PATH" "no launcher"
if "$POLLARD" --version | grep -q '^MPI Open MPI'; then
    other="HYDRA build details:" size=PMI_SIZE
else
    other="mpirun (Open MPI) 4.1.4" size=OMPI_COMM_WORLD_SIZE
fi
printf '#!/bin/sh\necho "%s"\n' "$other" >"$work/path/mpirun"
chmod +x "$work/path/mpirun"
PATH=$work/path:$PATH alone
see 69 FAILED launcher "$work/path/mpirun is that of" "a launcher of another MPI"
rm "$work/path/mpirun"
(unset OMPI_MCA_plm && export "$size=3" PATH="$work/path" && exec "$POLLARD" doctor) >"$work/stdout" 2>"$work/stderr" # no ssh either
got=$?
see 69 FAILED launcher "started 3 processes ($size), but each finds itself alone" "a launcher that does not fit"

# Unlike kernels give unlike bits.
if grep -qw avx2 /proc/cpuinfo 2>/dev/null; then
    OPENBLAS_CORETYPE=Prescott alone
    see 0 warning blas "kernels for Prescott" "slow kernels"
    timeout -k 5 "$limit" "$launch" 1 "$POLLARD" doctor : -n 1 env OPENBLAS_CORETYPE=Prescott \
        "$POLLARD" doctor >"$work/stdout" 2>"$work/stderr"
    got=$?
    see 69 FAILED blas "but for Prescott on rank 1" "unlike kernels"
fi

# Too little memory: for a study, and for BLAS itself. Sanitizers need terabytes of addresses.
sanitized=$(ldd "$POLLARD" 2>/dev/null | grep -c libasan)
if [ "$sanitized" -eq 0 ] && (ulimit -v 400000) 2>/dev/null; then
    (ulimit -v 400000 && exec "$POLLARD" doctor) >"$work/stdout" 2>"$work/stderr"
    got=$?
    see 0 warning memory "MiB for each rank on" "little memory"
    timeout -k 5 "$limit" "$launch" 1 "$POLLARD" doctor : -n 1 bash -c \
        'ulimit -v 520000; exec "$1" doctor' bash "$POLLARD" >"$work/stdout" 2>"$work/stderr"
    got=$?
    [ "$cores" -lt 2 ] || see 0 warning memory "(ulimit)" "little memory on one of two ranks"
    (ulimit -v 200000 && exec "$POLLARD" doctor) >"$work/stdout" 2>"$work/stderr"
    got=$?
    see 69 FAILED blas "out of memory" "too little memory"
fi

# What no file system or processor does for a test: functions of the system that fail, put before it.
cat >"$work/broken.c" <<'END'
#include <errno.h>
#include <fenv.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
static int broken(const char *what)
{
    const char *chosen = getenv("BROKEN");
    return chosen != NULL && strcmp(chosen, what) == 0;
}
int flock(int fd, int operation)
{
    (void)fd;
    (void)operation;
    errno = ENOSYS;
    return broken("locks") ? -1 : 0;
}
int statvfs(const char *path, struct statvfs *out)
{
    (void)path;
    memset(out, 0, sizeof *out);
    out->f_frsize = 4096;
    out->f_bavail = broken("space") ? 1000 : 1000000;
    return 0;
}
__attribute__((constructor)) static void set_rounding(void)
{
    if (broken("rounding")) {
        fesetround(FE_UPWARD);
    }
}
END
if [ "$sanitized" -ne 0 ]; then
    echo "skipped: no library can be put before the sanitizer's"
elif ! ${CC:-cc} -shared -fPIC -o "$work/broken.so" "$work/broken.c" -lm 2>"$work/stderr"; then
    echo "skipped: no C compiler"
else
    broken() {
        (export "BROKEN=$1" LD_PRELOAD="$work/broken.so" && exec timeout -k 5 "$limit" "$POLLARD" doctor) >"$work/stdout" 2>"$work/stderr"
        got=$?
    }
    broken nothing
    see 0 ok output "locked" "nothing broken"
    broken locks
    see 0 warning output "files cannot be locked" "no locks"
    grep -q "what to do: export HDF5_USE_FILE_LOCKING=FALSE" "$work/stdout" && pass || fail "no locks: the advice"
    broken space
    see 0 warning output "4 MiB free" "little space"
    broken rounding
    see 69 FAILED arithmetic "not rounded to the nearest" "rounding"
fi
finish
