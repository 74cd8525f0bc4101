#!/usr/bin/env bash
# What a study saves because its cells share explanations and masks, and how it scales from one rank to two; one JSON line (docs/benchmarks.md).
#
# usage: bench_sharing.sh POLLARD STUDY SEEDS "REFERENCES..." EACH [--set KEY=VALUE]...
#   STUDY with one network, one kind of components, one criterion and one class subset; it is given the seeds 0 .. SEEDS-1 and these numbers of
#   reference images. Of every number EACH cells are also run alone, each as a study of its own, spread over the seeds.
# environment: MPIEXEC (mpirun)
set -u
[ $# -ge 5 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
pollard=$1 study=$2 seeds=$3 each=$5
read -ra references <<<"$4"
shift 5
folder=$(mktemp -d "${TMPDIR:-/tmp}/bench-sharing-XXXXXX")
trap 'rm -rf "$folder"' EXIT
launch=$(dirname "$0")/../support/launch.sh
list=$(IFS=,; echo "${references[*]}")
export MPIEXEC=${MPIEXEC:-mpirun}

stop() {
    echo "bench_sharing: error: $*" >&2
    [ -s "$folder/err" ] && tail -n 5 "$folder/err" >&2
    exit 1
}

# timed RANKS ARGUMENT...: runs it; the file `time` has wall and processor seconds of the command with all its ranks
timed() {
    local ranks=$1 TIMEFORMAT='%R %U %S'
    shift
    { time "$launch" "$ranks" "$pollard" "$@" >"$folder/out" 2>"$folder/err"; } 2>"$folder/time" || stop "pollard $*"
    awk 'END { print $1, $2 + $3 }' "$folder/time"
}

# stage NAME FIELD: of the log of a run
stage() {
    grep "stage=$1 seconds=" "$folder/err" | grep -oE "$2=[0-9.]+" | head -n 1 | cut -d= -f2
}

# ---- counts, from the plan ----
whole=(--set "tasks.seeds=$seeds" --set "tasks.references=[$list]" "$@")
"$launch" 1 "$pollard" plan "$study" "${whole[@]}" >"$folder/plan" 2>"$folder/err" || stop "plan $study"
cells=$(grep -oE '^[0-9]+ cells' "$folder/plan" | cut -d' ' -f1)
[ "$cells" = $((seeds * ${#references[@]})) ] ||
    stop "$study has $cells cells; expected $seeds seeds x ${#references[@]} numbers of references, of one network, kind, criterion and subset"
work() { # work STAGE COLUMN-FROM-THE-RIGHT: passes (1: without sharing, 2: with)
    awk -v stage="$1" -v back="$2" '/^Memory/ { exit } /^Work/ { here = 1 } here && $1 == stage { print $(NF - back + 1) }' "$folder/plan"
}
shared() { # shared WORD NUMBER: "once" and "cell by cell" of a row
    sed -n '/^Shared/,/^$/p' "$folder/plan" | grep "$1" | sed 's/at most//; s/at least//' | awk -v n="$2" '{ print $(2 + n) }'
}
explained=$(shared 'explained images' 1) explained_alone=$(shared 'explained images' 2)
points=$(shared 'evaluated masks' 2) at_most=$(shared 'evaluated masks' 1)
attribute_passes=$(work attribute 2) attribute_alone=$(work attribute 1)
evaluate_passes=$(work evaluate 2) evaluate_alone=$(work evaluate 1)

# ---- the study as one, on one rank and on two ----
read -r wall_one processor_one < <(timed 1 run "$study" "${whole[@]}" -o "$folder/one.h5") || exit 1
[ -s "$folder/one.h5" ] || exit 1
attribute=$(stage attribute busy) evaluate=$(stage evaluate busy)
grep -v '^Result: ' "$folder/out" >"$folder/table.one"
masks=$("$pollard" inspect "$folder/one.h5" | awk '$1 == "masks_evaluated" { print $2 }')
read -r wall_two processor_two < <(timed 2 run "$study" "${whole[@]}" -o "$folder/two.h5") || exit 1
[ -s "$folder/two.h5" ] || exit 1
idle=$(awk -v a="$(stage attribute idle)" -v e="$(stage evaluate idle)" 'BEGIN { print a + e }')
grep -v '^Result: ' "$folder/out" >"$folder/table.two"
cmp -s "$folder/table.one" "$folder/table.two" && same=true || same=false

# ---- cells alone: a sample, the same seeds for every number of references ----
alone_wall=0 alone_processor=0 timed_cells=0 sample=
for r in "${references[@]}"; do
    wall=0 processor=0
    for ((i = 0; i < each; i++)); do
        seed=$((i * seeds / each))
        read -r w p < <(timed 1 run "$study" "$@" --set "tasks.seeds=[$seed]" --set "tasks.references=[$r]" -o "$folder/alone.h5") || exit 1
        [ -s "$folder/alone.h5" ] || exit 1
        rm "$folder/alone.h5"
        wall=$(awk -v a="$wall" -v b="$w" 'BEGIN { print a + b }')
        processor=$(awk -v a="$processor" -v b="$p" 'BEGIN { print a + b }')
        timed_cells=$((timed_cells + 1))
    done
    sample+=$(awk -v r="$r" -v p="$processor" -v n="$each" -v comma="${sample:+, }" 'BEGIN { printf "%s{\"references\": %d, \"processor\": %.3f}", comma, r, p / n }')
    alone_wall=$(awk -v a="$alone_wall" -v b="$wall" -v n="$each" -v s="$seeds" 'BEGIN { print a + b / n * s }')
    alone_processor=$(awk -v a="$alone_processor" -v b="$processor" -v n="$each" -v s="$seeds" 'BEGIN { print a + b / n * s }')
done

awk -v name="$(basename "$study" .yaml)" -v cells="$cells" -v seeds="$seeds" -v list="$list" -v e="$explained" -v ea="$explained_alone" -v m="$masks" \
    -v points="$points" -v at_most="$at_most" -v ap="$attribute_passes" -v aa="$attribute_alone" -v ep="$evaluate_passes" -v eva="$evaluate_alone" \
    -v w1="$wall_one" -v p1="$processor_one" -v w2="$wall_two" -v p2="$processor_two" -v as="$attribute" -v es="$evaluate" -v idle="$idle" \
    -v same="$same" -v n="$timed_cells" -v sample="$sample" -v aw="$alone_wall" -v acpu="$alone_processor" 'BEGIN {
    ran = ep * m / at_most                       # masks that turned out equal were not run
    counted = (as / ap * aa + es / ran * eva) / (as + es)
    printf "{\"bench\": \"sharing\", \"study\": \"%s\", \"cells\": %d, \"seeds\": %d, \"references\": [%s], ", name, cells, seeds, list
    printf "\"explained\": %d, \"explained_alone\": %d, \"masks\": %d, \"masks_alone\": %d, ", e, ea, m, points
    printf "\"passes\": [%d, %d], \"passes_alone\": [%d, %d], \"stage_seconds\": [%.2f, %.2f], ", ap, ran, aa, eva, as, es
    printf "\"wall_one_rank\": %.2f, \"processor_one_rank\": %.2f, \"wall_two_ranks\": %.2f, \"processor_two_ranks\": %.2f, ", w1, p1, w2, p2
    printf "\"efficiency_wall\": %.3f, \"efficiency_processor\": %.3f, \"idle_two_ranks\": %.2f, \"same\": %s, ", w1 / (2 * w2), p1 / p2, idle, same
    printf "\"timed_alone\": %d, \"alone\": [%s], \"wall_alone\": %.2f, \"processor_alone\": %.2f, ", n, sample, aw, acpu
    printf "\"factor_explaining\": %.2f, \"factor_counted\": %.3f, \"factor_wall\": %.3f, \"factor_processor\": %.3f}\n", aa / ap, counted, aw / w1, acpu / p1
}'
