# The catalogue of bad input: what the test_bad_*.sh share; sourced. One line is one case: exit code, a part of the message, what is done
# to a good study, further arguments.
#
#     refused 65 "the file is truncated"  'head -c 4000 "$good/net/model.safetensors" >net/model.safetensors'
#     refused 78 "did you mean 'seeds'"   '' --set tasks.sedes=2
#
# Each case has a fresh copy of the study as its folder and runs twice, at the same time: as one process without a launcher, and on 3
# ranks. It must end in time, with the code, with exactly one message that says so, and leave no file behind.
. "$(dirname "$0")/lib.sh"
limit=60
export LC_ALL=C # bytes are bytes for sed and the shell
good=$work/good
here=$work/here

# The study: one small network, two criteria, two classes, two rates, three images a class.
mkdir -p "$good"
cp -r "$SOURCE/examples/digits/models/digits_resnet" "$good/net"
for set in train val; do
    for class in 0 1 2 3 4 5 6 7 8 9; do
        mkdir -p "$good/data/$set/$class"
        images=("$SOURCE/examples/digits/data/$set/$class"/*.png)
        for i in 0 1 2; do cp "${images[i]}" "$good/data/$set/$class/$i.png"; done
    done
done
cat >"$good/study.yaml" <<'END'
study: small
data: {reference: data/train, evaluation: data/val}
models:
  - name: net
    checkpoint: net/model.safetensors
criteria:
  - name: lrp
    method: lrp
  - {name: magnitude, method: magnitude}
tasks:
  classes: [2]
  seeds: 1
  references: [2]
rates: [0, 0.5]
micro_batch: 2
END

# run_both OUT ARGUMENT...: alone and on 3 ranks at once; $codes are the exit codes. RESULT in an argument becomes OUT.1 or OUT.3.
run_both() {
    local out=$1 alone
    shift
    timeout -k 5 "$limit" "$POLLARD" "${@//RESULT/$out.1}" >"$work/stdout.1" 2>"$work/stderr.1" &
    alone=$!
    ranks 3 "${@//RESULT/$out.3}" >"$work/stdout.3" 2>"$work/stderr.3"
    codes=([3]=$?)
    wait "$alone"
    codes[1]=$?
}

# fresh DAMAGE: a copy of the good study with the damage done; what is in the folder is then in $before.
fresh() {
    if [ -d "$here" ]; then chmod -R u+w "$here"; fi
    rm -rf "$here"
    cp -r "$good" "$here"
    cd "$here" || exit 2
    eval "$1"
    before=$(find . | sort)
}

nothing_left() {
    local after
    after=$(find . | grep -v "${may_stay:-^$}" | sort)
    [ "$before" = "$after" ] && return
    fail "files are left behind: $*"
    diff <(echo "$before") <(echo "$after") | sed 's/^/    /'
    return 1
}

# told RANKS CODE MESSAGE CASE: the run on RANKS ranks ended with the code and with one message.
told() {
    local n=$1 code=$2 message=$3 case=$4 got=${codes[$1]}
    if [ "$got" -ne "$code" ]; then
        fail "exit code $got instead of $code on $n ranks: $case"
    elif ! grep -aF "pollard: error" "$work/stderr.$n" | grep -aqF -- "$message"; then
        fail "the message lacks '$message' on $n ranks: $case"
    elif [ "$(grep -ac "pollard: error" "$work/stderr.$n")" -ne 1 ]; then
        fail "not exactly one message on $n ranks: $case"
    else
        pass
        return
    fi
    sed 's/^/    /' "$work/stderr.$n"
    return 1
}

# call CODE MESSAGE DAMAGE ARGUMENT...: any command line in the study's folder.
call() {
    local code=$1 message=$2 damage=$3
    shift 3
    fresh "$damage"
    run_both r.h5 "$@"
    told 1 "$code" "$message" "$damage | $*" && told 3 "$code" "$message" "$damage | $*" && nothing_left "$damage | $*"
}

# unread CODE MESSAGE DAMAGE FILE: `pollard inspect`, which is one process.
unread() {
    fresh "$3"
    timeout -k 5 "$limit" "$POLLARD" inspect "$4" >"$work/stdout.1" 2>"$work/stderr.1" </dev/null
    codes=([1]=$?)
    told 1 "$1" "$2" "$3 | inspect $4" && nothing_left "$3 | inspect $4"
}

# refused CODE MESSAGE DAMAGE [ARGUMENT...]: the study cannot be run.
refused() {
    local code=$1 message=$2 damage=$3
    shift 3
    call "$code" "$message" "$damage" run study.yaml -o RESULT "$@"
}

# accepted DAMAGE [ARGUMENT...]: looks bad and is not; both runs give the same file.
accepted() {
    local damage=$1
    shift
    fresh "$damage"
    run_both r.h5 run study.yaml -o RESULT "$@"
    if [ "${codes[*]}" != "0 0" ]; then
        fail "exit codes ${codes[*]} instead of 0: $damage | $*"
        sed 's/^/    /' "$work/stderr.1" "$work/stderr.3"
    elif type -P h5diff >/dev/null && ! h5diff --exclude-path /provenance r.h5.1 r.h5.3 >"$work/diff" 2>&1; then
        fail "1 and 3 ranks give different results: $damage | $*"
        sed 's/^/    /' "$work/diff"
    else
        pass
    fi
}
skipped() { echo "skipped: $*"; }
