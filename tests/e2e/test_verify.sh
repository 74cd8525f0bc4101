#!/usr/bin/env bash
# `pollard verify` finds nothing where there is nothing, and a difference where there is one; `pollard status` beside a run, and behind it.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 2
config=$SOURCE/configs/digits.yaml
tiny=(--set tasks.seeds=1 --set 'tasks.classes=[3]' --set 'tasks.references=[3]' --set 'rates=[0, 0.3, 0.6]')

ranks 3 verify "$config" "${tiny[@]}" >out 2>err && pass || { fail "verify on three ranks: $?"; cat err; }
grep -q '^straight, 3 ranks' out && grep -Eq '^straight, 2 ranks .* the same$' out && grep -Eq '^straight, 1 rank .* the same$' out &&
    grep -Eq '^interrupted twice: 3, 2, 3 ranks .* the same$' out && grep -q '^All results are the same' out && pass || { fail "what verify says"; cat out; }
[ -z "$(ls -A | grep -vx -e out -e err)" ] && pass || fail "verify leaves $(ls -A)"
"$POLLARD" verify "$config" "${tiny[@]}" >out 2>err && grep -q '^one rank alone' out && grep -q '^interrupted twice' out &&
    grep -q '^Interruptions change nothing.*were not compared' out && pass || { fail "verify on one rank"; cat out err; }

# What a search writes beside its result is compared and removed too.
{ sed "s#\.\./examples#$SOURCE/examples#" "$config" && echo 'search: {trials: 2, method: random}'; } >search.yaml
ranks 2 verify search.yaml "${tiny[@]}" >out 2>err && grep -q '^All results are the same' out && pass || { fail "verify of a search"; cat out err; }
[ -z "$(ls -A | grep -vx -e out -e err -e search.yaml)" ] && pass || fail "verify of a search leaves $(ls -A)"
rm -f search.yaml

# Kernels that one of the ranks alone has would give one of the runs another result.
if "$POLLARD" version | grep -Eq 'oneDNN [0-9.]*, kernels for AVX'; then
    cat >study.yaml <<END
$(sed "s#\.\./examples#$SOURCE/examples#" "$config")
END
    cat >other.sh <<'END'
#!/bin/sh
# Rank 2 has older kernels, so that one straight run has them and the others do not.
[ "${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}" = 2 ] && export ONEDNN_MAX_CPU_ISA=SSE41
exec "$@"
END
    chmod +x other.sh
    timeout -k 5 600 "$launch" 3 ./other.sh "$POLLARD" verify study.yaml "${tiny[@]}" >out 2>err
    code=$?
    [ "$code" = 69 ] && grep -q "nodes are unlike each other: the backend" err && pass || { fail "a rank with other kernels: $code"; cat out err; }
    rm -rf verify.* study.yaml other.sh
fi

# ---- status ----
"$POLLARD" status none.h5 >out 2>err
[ $? = 66 ] && grep -q 'none.h5.journal' err && pass || fail "status of nothing"
for other in "$config" "$SOURCE/configs"; do
    "$POLLARD" status "$other" >out 2>err
    [ $? = 65 ] && grep -q 'expected the result' err && [ ! -s out ] && pass || { fail "status of $other, which is no result"; cat out err; }
done
ranks 2 run "$config" "${small[@]}" -o r.h5 --array 1/2 >out 2>err && grep -q 'Job 1 of 2 has done its share' out && pass || { fail "half of a study"; cat err; }
"$POLLARD" status r.h5 >out 2>err
[ $? = 75 ] && pass || { fail "status of half a study"; cat out err; }
grep -q '^r.h5: study digits' out && grep -Eq '^  last start: .*2 ranks on .*array 1/2' out && grep -Eq '^[0-9]+ % done; about [0-9:]+ left with [12] ranks?' out &&
    grep -Eq '^digits_vgg_bn +filters +3 lrp-epsilon +3  1\.000 \(2\)' out && pass || { fail "what status says"; cat out; }
"$POLLARD" merge "$config" "${small[@]}" -o r.h5 >out 2>err
[ $? = 66 ] && grep -Eq 'missing are [0-9]+ of [0-9]+ pruned networks x runs; run' err && [ ! -e r.h5 ] && pass || { fail "merge of half a study"; cat err; }
ranks 1 run "$config" "${small[@]}" -o r.h5 --array 2/2 >out 2>err && grep -q 'Everything is there' out && pass || { fail "the other half"; cat out err; }
"$POLLARD" status r.h5 >out 2>err
[ $? = 75 ] && grep -q '^r.h5: study digits, computed, not merged' out && grep -q 'pollard merge' err && pass || { fail "status of both halves"; cat out err; }
ranks 3 merge "$config" "${small[@]}" -o r.h5 >out 2>err && [ ! -e r.h5.journal ] && pass || { fail "merge"; cat err; }
"$POLLARD" status r.h5 >out && grep -q '^r.h5: complete' out && pass || fail "status of a result"
"$POLLARD" inspect r.h5 | grep -Eq '^ *items_computed +0$' && pass || fail "merge has computed something"

# ---- what is missing, of every kind and of all networks together ----
shares=("${small[@]}" --set heatmaps.images=8 -o shares.h5)
lack() { # lack KIND FILE: how many are missing, and of how many
    sed -n "s/.*[ :]\([0-9]* of [0-9]*\) $1[,;].*/\1/p" "$2" | head -1
}
"$POLLARD" merge "$config" "${shares[@]}" >out 2>err # nobody has done anything
[ $? = 66 ] && [ "$(lack 'explained micro-batches' err | awk '{ print $1 - $3 }')" = 0 ] &&
    grep -Eq 'of what follows 0 of [1-9][0-9]* unpruned micro-batches and 0 of at most [1-9][0-9]* pruned networks x runs are there' err && pass || { fail "merge of nothing"; cat err; }
most=$(sed -n 's/.*of at most \([0-9]*\) pruned.*/\1/p' err)
pruned=() heatmaps=()
for job in 1 2 3; do
    ranks 2 run "$config" "${shares[@]}" --array $job/3 >out 2>err || { fail "job $job of 3"; cat err; }
    "$POLLARD" merge "$config" "${shares[@]}" >merged 2>merge.err
    code=$?
    [ $job = 3 ] && break
    [ $code = 66 ] && grep -q 'the journals do not hold all of the work: missing are ' merge.err && [ ! -e shares.h5 ] && pass || { fail "merge after $job of 3 jobs: exit code $code"; cat merge.err; }
    for kind in 'pruned networks x runs' 'blocks of heatmaps'; do
        [ -n "$(lack "$kind" out)" ] && [ "$(lack "$kind" out)" = "$(lack "$kind" merge.err)" ] && pass ||
            { fail "$kind after $job of 3 jobs: the job says '$(lack "$kind" out)', merge '$(lack "$kind" merge.err)'"; grep 'not there' out; cat merge.err; }
    done
    pruned+=($(lack 'pruned networks x runs' merge.err)) heatmaps+=($(lack 'blocks of heatmaps' merge.err))
done
[ $code = 0 ] && grep -q 'Everything is there' out && pass || { fail "merge after all jobs"; cat out merge.err; }
# Of all networks together, and less after every job.
for kind in pruned heatmaps; do
    declare -n numbers=$kind # missing, "of", all; after the first job, after the second
    [ "${#numbers[@]}" = 6 ] && [ "${numbers[2]}" = "${numbers[5]}" ] && [ "${numbers[2]}" -gt "${numbers[0]}" ] && [ "${numbers[0]}" -gt "${numbers[3]}" ] &&
        [ "${numbers[3]}" -gt 0 ] && pass || fail "$kind: missing ${numbers[*]}"
done
[ "${pruned[2]}" -le "$most" ] && [ "$((2 * pruned[2]))" -gt "$most" ] && pass || fail "${pruned[2]} pruned networks of at most $most: not those of all networks"
finish
