#!/usr/bin/env bash
# Criteria that are for some models and some numbers of references: the result has the same cells as the whole study's, on any number of ranks and after a
# kill, and `plan` and `status` count what less there is to explain.
. "$(dirname "$0")/lib.sh"
if ! command -v h5diff >/dev/null || ! command -v h5dump >/dev/null; then
    echo "skipped: h5diff or h5dump is missing (Debian: hdf5-tools)"
    exit 77
fi
cd "$work" || exit 1
steps=30
config=$SOURCE/configs/digits.yaml
study=(--set tasks.seeds=2 --set 'tasks.classes=[3]' --set 'tasks.references=[2, 8]' --set 'rates=[0, 0.5, 0.8]' --set micro_batch=2)
gradients="method: integrated-gradients, steps: $steps"
# most: the scores of `gradients`; the transformer explains for both of them.
whole=(--set "criteria=[{name: lrp, method: lrp}, {name: gradients, $gradients}, {name: most, $gradients, order: most-first}, {name: size, method: magnitude}]")
part=(--set "criteria=[{name: lrp, method: lrp, references: [8], models: [digits_vit]}, {name: gradients, $gradients, references: [2]}, {name: most, $gradients, order: most-first, references: [8], models: [digits_vit]}, {name: size, method: magnitude}]")

ranks 2 run "$config" "${study[@]}" "${whole[@]}" -o whole.h5 >out 2>err || { fail "run of everything"; cat err; }
ranks 1 run "$config" "${study[@]}" "${part[@]}" -o one.h5 >out 2>err || { fail "run on one rank"; cat err; }
ranks 2 run "$config" "${study[@]}" "${part[@]}" -o two.h5 >out 2>err || { fail "run on two ranks"; cat err; }
h5diff --exclude-path /provenance one.h5 two.h5 >diff 2>&1 && pass || { fail "another result on two ranks"; head diff; }

# ---- cells: what identifies each, and all that the file has of it ----
rows() { # FILE VARIABLE: one line for each element of the first dimension
    h5dump -y -m %.17g -d "$2" "$1" | awk '
        /DATASPACE/ && !n { # SIMPLE { ( 24, 3 ) / ...
            sub(/.*SIMPLE \{ \( /, ""); sub(/ \).*/, "")
            n = split($0, dim, /, /)
            for (each = 1; n > 1; n--) each *= dim[n]
        }
        /^ *}/ { on = 0 }
        on { gsub(/,/, " "); for (i = 1; i <= NF; i++) printf "%s%s", $i, ++seen % each ? "," : "\n" }
        /^ *DATA \{/ && !begun { on = begun = 1 }'
}
cells() { # FILE
    local file=$1 name track path
    paste -d ' ' $(for name in model kind criterion task seed references; do rows "$file" /curves/$name >"key.$name"; echo "key.$name"; done) >keys
    paste -d '|' keys $(for name in correct correct_masked top5 agree loss_sum removed class_correct a_pr_mean; do rows "$file" /curves/$name >"curve.$name"; echo "curve.$name"; done)
    for track in $(h5dump -n "$file" | awk '$2 ~ "^/tracks/.*/ranking$" { print $2 }'); do
        path=${track%/ranking}
        paste -d '|' <(rows "$file" "$path/cell" | while read -r cell; do sed -n "$((cell + 1))p" keys; done) <(rows "$file" "$track") <(rows "$file" "$path/relevance")
    done
}
cells whole.h5 | sort >whole.cells
cells one.h5 | sort >part.cells
# 2 seeds, of 2 + 2 kinds: size everywhere, at both numbers of references the same; gradients with 2; lrp and most with 8 of the transformer's kinds.
expected=$((2 * (4 + 4 + 2 * 2)))
[ "$(grep -c 'digits.*|' part.cells)" = $((2 * expected)) ] && pass || fail "expected $((2 * expected)) lines of $expected cells, found $(wc -l <part.cells)"
[ -z "$(comm -23 part.cells whole.cells)" ] && pass || fail "cells that the whole study has otherwise: $(comm -23 part.cells whole.cells | cut -c 1-120)"
[ "$(wc -l <whole.cells)" = $((2 * 2 * (4 + 3 * 2 * 4))) ] && pass || fail "the whole study has $(wc -l <whole.cells) lines"
# The comparison sees a difference.
sed '0,/lrp/s/|\([0-9]*\),/|\11,/' part.cells | sort >spoilt.cells
[ -n "$(comm -23 spoilt.cells whole.cells)" ] && pass || fail "the comparison of cells sees nothing"

# ---- what is counted ----
planned() { # NAME ARGUMENT...
    ranks 1 plan "$config" "${study[@]}" "${@:2}" >"plan.$1" 2>err || { fail "plan of $1"; cat err; }
}
count() { # NAME COLUMN, of `attribute`
    awk -v column="$2" '/^Work/ { on = 1 } on && $1 == "attribute" { print $column; exit }' "plan.$1"
}
explained() { # NAME
    awk '/^  explained images/ { print $3; exit }' "plan.$1"
}
planned whole "${whole[@]}"
planned part "${part[@]}"
items=$(count part 2)
[ -n "$items" ] && [ "$items" -lt "$(count whole 2)" ] && pass || fail "plan: $items items with limits, $(count whole 2) without"
[ "$(count part 4)" -lt "$(count whole 4)" ] && pass || fail "plan: no fewer passes"
[ -n "$(explained part)" ] && [ "$(explained part)" -lt "$(explained whole)" ] && pass || fail "plan: $(explained part) explained images with limits, $(explained whole) without"
# All criteria share a table of images where there is one.
for more in rows=keep rows=auto spectrum=true; do
    planned rows "${part[@]}" --set $more
    [ "$(count rows 2)" -gt "$items" ] && pass || fail "plan: no more items with $more"
done
ranks 2 run "$config" "${study[@]}" "${part[@]}" --set rows=keep -o rows.h5 >out 2>err || { fail "run with rows: keep"; cat err; }
h5diff --exclude-path /provenance --exclude-path /rows one.h5 rows.h5 >diff 2>&1 && pass || { fail "rows: keep changes more than /rows"; head diff; }

# ---- killed while it explains, and gone on with ----
rows_done() { # of how many
    "$POLLARD" status killed.h5 2>/dev/null | awk '/^ *explained micro-batches/ { print $3, $4; exit }'
}
for try in 1 2 3 4 5; do
    rm -rf killed.h5 killed.h5.journal
    "$POLLARD" run "$config" "${study[@]}" "${part[@]}" -o killed.h5 >out 2>err &
    run=$!
    for ((i = 0; i < 3000; i++)); do
        [ "$(cat killed.h5.journal/*.journal 2>/dev/null | wc -c)" -lt 60000 ] && kill -0 $run 2>/dev/null || break
        sleep 0.01
    done
    kill -KILL $run 2>/dev/null
    wait $run 2>/dev/null
    read -r done of <<<"$(rows_done)"
    [ -n "${of:-}" ] && [ "$done" -gt 0 ] && [ "$done" -lt "$of" ] && break
done
[ "${of:-0}" = "$items" ] && pass || fail "status counts ${of:-no} micro-batches, plan $items"
[ "${done:-0}" -gt 0 ] && [ "$done" -lt "$of" ] && [ ! -e killed.h5 ] && pass || fail "not killed in the middle: $done of $of"
ranks 1 merge "$config" "${study[@]}" "${part[@]}" -o killed.h5 >out 2>err
[ $? = 66 ] && grep -q "missing are $((of - done)) of $of explained micro-batches" err && pass || { fail "merge of what is not complete"; cat err; }
# With other limits, what is there is of another study.
other=("${part[@]/references: \[2\]/references: [8]}")
ranks 1 run "$config" "${study[@]}" "${other[@]}" -o killed.h5 >out 2>err
[ $? = 78 ] && [ ! -e killed.h5 ] && grep -qF "it was '    references: [2]', it is now '    references: [8]'" err && pass || { fail "a journal of other limits is taken"; cat err; }
ranks 2 run "$config" "${study[@]}" "${part[@]}" -o killed.h5 >out 2>err || { fail "going on"; cat err; }
grep -q 'goes on where an earlier run was' err && pass || fail "it begins anew"
h5diff --exclude-path /provenance one.h5 killed.h5 >diff 2>&1 && pass || { fail "another result after a kill"; head diff; }
# ---- as an array ----
for job in 1 2; do
    ranks 1 run "$config" "${study[@]}" "${part[@]}" -o array.h5 --array $job/2 >out 2>err || { fail "job $job of an array"; cat err; }
done
ranks 2 merge "$config" "${study[@]}" "${part[@]}" -o array.h5 >out 2>err || { fail "merge"; cat err; }
h5diff --exclude-path /provenance one.h5 array.h5 >diff 2>&1 && pass || { fail "another result from an array"; head diff; }
finish
