#!/usr/bin/env bash
# Nodes unlike each other, made up by variables that one rank alone has: refused, and the advice makes them alike.
. "$(dirname "$0")/lib.sh"
config=$SOURCE/configs/digits.yaml
# unlike VARIABLES FOR RANK 1 ARGUMENT...: two ranks, the second with these variables.
unlike() {
    local variables=$1
    shift
    # shellcheck disable=SC2086
    timeout -k 5 120 "$launch" 1 env -u OPENBLAS_CORETYPE -u ONEDNN_MAX_CPU_ISA $common "$POLLARD" run "$config" -o "$work/r.h5" "${small[@]}" "$@" : \
        -n 1 env -u OPENBLAS_CORETYPE -u ONEDNN_MAX_CPU_ISA $common $variables "$POLLARD" run "$config" -o "$work/r.h5" "${small[@]}" "$@" >"$work/out" 2>"$work/err"
    code=$?
}
refused() { # refused WHAT TEXT
    [ "$code" = 69 ] && grep -q "nodes are unlike each other: the backend" "$work/err" && grep -qF -- "$2" "$work/err" && [ ! -e "$work/r.h5" ] && [ ! -e "$work/r.h5.journal" ] &&
        [ "$(grep -c 'error' "$work/err")" = 1 ] && pass || { fail "$1: exit code $code"; cat "$work/err"; }
}
accepted() {
    [ "$code" = 0 ] && [ -s "$work/r.h5" ] && pass || { fail "$1: exit code $code"; cat "$work/err"; }
    rm -f "$work/r.h5"
}

common=
unlike ""
accepted "ranks alike"
if ! "$POLLARD" version | grep -q 'OpenBLAS.*DYNAMIC_ARCH'; then
    echo "skipped: this OpenBLAS has kernels for one processor only"
    exit 77
fi
unlike OPENBLAS_CORETYPE=Nehalem
refused "another kernel of OpenBLAS" "export OPENBLAS_CORETYPE=Nehalem"
unlike OPENBLAS_CORETYPE=Nehalem --set backend=openblas
refused "another kernel of OpenBLAS, the only backend" "export OPENBLAS_CORETYPE=Nehalem\` in the job script"
common="OPENBLAS_CORETYPE=Nehalem"
unlike OPENBLAS_CORETYPE=Nehalem
accepted "as advised"
common=
if "$POLLARD" version | grep -Eq 'oneDNN [0-9.]*, kernels for AVX'; then
    unlike ONEDNN_MAX_CPU_ISA=SSE41
    refused "another instruction set of oneDNN" "ONEDNN_MAX_CPU_ISA=SSE41"
    common="ONEDNN_MAX_CPU_ISA=SSE41"
    unlike ""
    accepted "oneDNN lowered on all ranks"
fi
finish
