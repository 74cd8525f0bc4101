#!/usr/bin/env bash
# `convolutions: winograd`: what doctor, plan, log and result say of it agree; explanations stay direct; any number of ranks gives the same
# file; and where there are no such kernels, the result is the direct one.
. "$(dirname "$0")/lib.sh"
for tool in h5diff h5dump; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing (Debian: hdf5-tools)"; exit 77; }
done
config=$SOURCE/configs/digits.yaml
study=("${small[@]}" --set rates.step=0.3 --set 'tasks.classes=[10]')

# go NAME RANKS ARGUMENT...: a run into $work/NAME.h5, its log in NAME.log.
go() {
    ranks "$2" run "$config" -o "$work/$1.h5" "${study[@]}" "${@:3}" >"$work/$1.out" 2>"$work/$1.log" || { fail "run $*"; cat "$work/$1.log"; }
}
alike() { # alike NAME NAME: apart from /provenance
    h5diff --exclude-path /provenance "$work/$1.h5" "$work/$2.h5" >"$work/diff" 2>&1
}
differ() { # differ NAME NAME OBJECT
    h5diff "$work/$1.h5" "$work/$2.h5" "$3" "$3" >"$work/diff" 2>&1
    [ $? -eq 1 ] # 2: error
}
marked() { # marked NAME WORD: the attribute
    h5dump -a /curves/convolutions "$work/$1.h5" | grep -qF "(0): \"$2\""
}
layers() { # layers NAME: the text of /provenance
    h5dump -y -w 0 -d /provenance/winograd_layers "$work/$1.h5" | tr -d '\n' | sed 's/.*DATA {[[:space:]]*"\(.*\)".*/\1/; s/   */\n/g'
}
no_kernels() { # no_kernels NAME DIRECT: asked for, not there, said, and no bit is another
    grep -q 'level=warning.*convolutions=direct although the study asks for winograd' "$work/$1.log" && pass || fail "$1: no warning"
    marked "$1" direct && [ "$(layers "$1")" = none ] && pass || fail "$1: marked as winograd"
    alike "$1" "$2" && pass || { fail "$1 is not $2"; cat "$work/diff"; }
}

go direct 2
go asked 1 --set convolutions=winograd
go two 2 --set convolutions=winograd
go three 3 --set convolutions=winograd
marked direct direct && [ "$(layers direct)" = none ] && pass || fail "the direct run is marked as $(layers direct)"
for n in two three; do
    alike asked "$n" && pass || { fail "1 and $n ranks differ:"; cat "$work/diff"; }
done
h5diff "$work/asked.h5" "$work/direct.h5" /tracks /tracks >"$work/diff" 2>&1 && pass || fail "explanations are not direct"

"$POLLARD" plan "$config" "${study[@]}" --set convolutions=winograd >"$work/plan" 2>&1 || fail "plan"
sed -n "/^Evaluated by Winograd/,/^$/s/^  //p" "$work/plan" >"$work/planned"
[ "$(cat "$work/planned")" = "$(layers asked)" ] && pass || fail "planned: $(cat "$work/planned"); run: $(layers asked)"
if "$POLLARD" doctor -o "$work/x.h5" 2>&1 | grep -q '^blas .* direct and winograd convolutions'; then
    marked asked winograd && pass || fail "kernels are there, the result is not marked"
    differ asked direct /curves/loss_sum && pass || fail "kernels are there, the losses are those of direct convolutions"
    grep -q 'convolutions=winograd model=digits_vgg_bn layers=5 of=6' "$work/asked.log" && pass || fail "no line about digits_vgg_bn"
    grep -q '^digits_vgg_bn: 5 of 6 convolutions: features.3, features.7, ' "$work/planned" && pass || fail "planned: $(cat "$work/planned")"
else
    no_kernels asked direct
fi

# A processor without AVX-512, as far as oneDNN is told (the first name is that of 2.x). Its direct convolutions have other bits than those above.
export DNNL_MAX_CPU_ISA=AVX2 ONEDNN_MAX_CPU_ISA=AVX2
go avx2 1
go avx2_asked 1 --set convolutions=winograd
no_kernels avx2_asked avx2
finish
