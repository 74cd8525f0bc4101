#!/usr/bin/env bash
# `pollard submit` without a Slurm: what the script says, what sbatch would be given (by a stand-in), and what is refused. With a Slurm:
# tests/faults/test_slurm.sh.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 2
study=$SOURCE/configs/digits.yaml

# All templates are the same behind their resources, and what the program writes is so too.
body=$SOURCE/slurm/body.sh
for template in "$SOURCE"/slurm/*.sbatch; do
    tail -c "$(stat -c %s "$body")" "$template" | cmp -s - "$body" && bash -n "$template" && pass || fail "$template does not end with slurm/body.sh"
done

# Stand-ins that note what they are given.
mkdir bin
cat >bin/sinfo <<'END'
#!/bin/sh
# sinfo -h -o FORMAT [-p PARTITION], where FORMAT ends in '%c %m': processors and MiB of the nodes, of all partitions unless one is asked for
[ "$1 $2" = '-h -o' ] || exit 1
nodes() { # nodes PARTITION AS_PRINTED NODES...
    if [ "$asked" = all ] || [ "$asked" = "$1" ]; then
        case $format in '%P %c %m') name="$2 " ;; '%c %m') name= ;; *) exit 1 ;; esac
        shift 2
        printf "$name%s\n" "$@"
    fi
}
format=$3 asked=all
[ "${4:-}" = -p ] && asked=$5
nodes debug debug '2 8000' '1 500'
nodes main 'main*' '4+ 32000' '8 2000000'
nodes fast fast '3+ 64000' '8 2000000'
END
cat >bin/sbatch <<'END'
#!/bin/sh
echo "$@" >>sbatch.words
env | sort >sbatch.environment
echo "$((4711 + $(wc -l <sbatch.words)));cluster"
END
chmod +x bin/*
env | sort >before

PATH=$work/bin:$PATH "$POLLARD" submit "$study" -o "it's.h5" --set tasks.seeds=2 --set 'tasks.classes=[3]' --array 4 --nodes 2 --time 90m \
    --partition fast --account me --launcher mpirun --script job.sbatch --go >out 2>err || { fail "submit --go"; cat err; }
for line in '--array=1-4' '--nodes=2' '--ntasks-per-node=3' '--time=01:30:00' '--partition=fast' '--account=me' '--signal=B:USR1@120' '--requeue' \
    '--open-mode=append' '--output=digits-%A_%a.log'; do
    grep -qxF -- "#SBATCH $line" job.sbatch && pass || fail "job.sbatch has no line '$line'"
done
grep -Eq '^#SBATCH --mem=[1-9][0-9]*M$' job.sbatch && pass || fail "no memory"
for script in job.sbatch job.sbatch.merge; do
    bash -n "$script" && tail -c "$(stat -c %s "$body")" "$script" | cmp -s - "$body" && pass || fail "$script does not end with slurm/body.sh"
done
# The words of the command line as the shell that runs the script reads them.
words() { # words SCRIPT
    (
        SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_JOB_ID=7 SLURM_JOB_ID=9
        eval "$(grep -E '^(launcher|done|command)=' "$1")"
        printf '%s|' "$launcher" "$done" "${command[@]}"
    )
}
[ "$(words job.sbatch)" = "mpirun|it's.h5.done-7_3|$POLLARD|run|$study|-o|it's.h5|--set|tasks.seeds=2|--set|tasks.classes=[3]|--array|3/4|" ] && pass ||
    fail "job.sbatch: $(words job.sbatch)"
[ "$(words job.sbatch.merge)" = "mpirun|it's.h5.done-9|$POLLARD|merge|$study|-o|it's.h5|--set|tasks.seeds=2|--set|tasks.classes=[3]|" ] && pass ||
    fail "job.sbatch.merge: $(words job.sbatch.merge)"
[ "$(cat sbatch.words)" = "--parsable job.sbatch
--parsable --dependency=afterok:4712 --kill-on-invalid-dep=yes job.sbatch.merge" ] && pass || fail "sbatch was given $(cat sbatch.words)"
grep -q '^Jobs 4712 (4 shares) and 4713, which joins them' out && pass || { fail "what was submitted is not said"; cat out; }
# The job gets the environment of the shell, and nothing of the MPI that planned.
grep -Ev '^(PATH|_|SHLVL|PWD|OLDPWD)=' before >one
grep -Ev '^(PATH|_|SHLVL|PWD|OLDPWD)=' sbatch.environment >two
cmp -s one two && pass || { fail "the job gets other variables"; diff one two; }

# Without --partition the nodes of the default one count, the least that one of them has.
PATH=$work/bin:$PATH "$POLLARD" submit "$study" --time 20m >out 2>err
grep -qx '#SBATCH --ntasks-per-node=4' out && ! grep -q partition= out && pass || { fail "the default partition has nodes of 4 processors"; cat out err; }

# refused CODE TEXT ARGUMENT...
refused() {
    local code=$1 text=$2
    shift 2
    PATH=$work/bin:$PATH "$POLLARD" submit "$@" >out 2>err
    [ $? = "$code" ] && grep -qF -- "$text" err && [ ! -s out ] && pass || { fail "submit $*: expected $code and '$text'"; cat err; }
}
refused 2 "--nodes: expected a number from 1 to 1000000, found '0'" "$study" --nodes 0
refused 2 "--ranks-per-node: expected a number" "$study" --ranks-per-node 4x
refused 2 "--array: expected a number" "$study" --array 1/4
refused 2 "--time: expected a duration" "$study" --time soon
refused 2 "--launcher: expected srun or mpirun" "$study" --launcher ssh
refused 2 '--partition: expected letters' "$study" --partition "a b"
refused 2 '--account: expected letters' "$study" --account "$(printf 'a\nb')"
refused 66 "no-such.yaml" no-such.yaml
refused 69 "but the smallest node has 32000 MiB" "$study" --ranks-per-node 100000
refused 69 "but the smallest node has 64000 MiB" "$study" --ranks-per-node 100000 --partition fast
printf '#!/bin/sh\necho no >&2; exit 1\n' >bin/sbatch
PATH=$work/bin:$PATH "$POLLARD" submit "$study" "${small[@]}" --script job.sbatch --go >out 2>err
[ $? = 69 ] && grep -q "sbatch has not taken job.sbatch (exit code 1" err && pass || { fail "a sbatch that refuses"; cat err; }
# The shares are taken and the job that joins them is not: what to do with the shares is said.
printf '#!/bin/sh\ncase "$*" in *dependency*) echo no >&2; exit 1 ;; esac\necho 815\n' >bin/sbatch
PATH=$work/bin:$PATH "$POLLARD" submit "$study" "${small[@]}" --time 20m --array 2 --script job.sbatch --go >out 2>err
[ $? = 69 ] && grep -qF 'job 815, the shares, is in the queue' err && grep -qF '`scancel 815`' err &&
    grep -qF '`sbatch --dependency=afterok:815 --kill-on-invalid-dep=yes job.sbatch.merge`' err &&
    grep -qF 'sbatch has not taken job.sbatch.merge (exit code 1' err && [ ! -s out ] && pass || { fail "a sbatch that refuses the second job"; cat out err; }
ranks 1 submit "$study" >out 2>err
[ $? = 2 ] && grep -q "expected to be started alone" err && pass || { fail "under a launcher"; cat err; }
finish
