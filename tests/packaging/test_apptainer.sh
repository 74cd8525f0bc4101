#!/usr/bin/env bash
# packaging/apptainer/pollard.def where there is no Apptainer and no registry of images: its parts do in two bare Debians what Apptainer has them do in two
# containers, and the second of them runs studies, started by itself and by the MPI of this machine. It shows that the parts are right; not how Apptainer reads the file, nor what it mounts.
set -u
. "$(dirname "$0")/debian.sh"
definition=$SOURCE/packaging/apptainer/pollard.def

# part STAGE NAME: the lines of %NAME; head STAGE: those before the first part.
part() {
    awk -v stage="$1" -v name="%$2" '/^Bootstrap:/ {now = ""; on = 0} /^Stage:/ {now = $2} /^%/ {on = now == stage && $1 == name; next} on' "$definition"
}
head_of() {
    awk -v stage="$1" '/^Bootstrap:/ {text = ""; on = 1} /^%/ {on = 0} on {text = text $0 "\n"} /^Stage:/ && $2 == stage {mine = 1} /^%/ && mine {printf "%s", text; exit}' "$definition"
}
for stage in build final; do
    head_of "$stage" | grep -qx 'Bootstrap: docker' && head_of "$stage" | grep -qx 'From: debian:12' && pass || { fail "the head of stage $stage: $(head_of "$stage")"; finish; }
done
known='^%(files|post|environment|runscript|test|help|labels)( from build)?$'
[ -z "$(grep '^%' "$definition" | grep -Ev "$known")" ] && pass || fail "parts that Apptainer does not know: $(grep '^%' "$definition" | grep -Ev "$known")"
run_part() { # run_part STAGE NAME: in $root, by the shell that Apptainer takes
    part "$1" "$2" >"$root/.part"
    [ -s "$root/.part" ] && within "$root" /bin/sh -e /.part >"$work/log" 2>&1
}

system build bookworm
[ "$(part build files | xargs)" = ". /source" ] && pass || fail "%files of the first stage: $(part build files)"
mkdir "$root/source"
(cd "$SOURCE" && find . -mindepth 1 -maxdepth 1 ! -name build ! -name .git -print0 | xargs -0 cp -a -t "$root/source") # Apptainer takes those along; nothing reads them
run_part build post && pass || { fail "%post of the first stage"; tail -n 30 "$work/log"; finish; }
packages=$root/packages

system final bookworm
[ "$(part final files | xargs)" = "/packages /packages" ] && grep -qx '%files from build' "$definition" && pass || fail "%files of the second stage: $(part final files)"
cp -r "$packages" "$root/packages"
run_part final post && pass || { fail "%post of the second stage"; tail -n 30 "$work/log"; finish; }
[ ! -e "$root/packages" ] && [ ! -e "$root/usr/bin/cmake" ] && [ ! -e "$root/usr/bin/gcc" ] && pass || fail "the image still holds what it was made with"
run_part final test && grep -q '^pollard [0-9]' "$work/log" && pass || { fail "%test"; cat "$work/log"; }
echo "the image: $(du -sxm "$root" | cut -f1) MiB, with an unchanged base of $(du -sxm "${POLLARD_DEBIAN:-$work/base}" | cut -f1)"

# What `apptainer run` starts.
{ part final environment; part final runscript; } >"$root/.run"
container() { # container COMMAND... -- ARGUMENT...: the launcher outside, if any, starts each container
    local launcher=()
    while [ "$1" != -- ]; do launcher+=("$1"); shift; done
    shift
    env -u OPENBLAS_NUM_THREADS -u OMP_NUM_THREADS PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "${launcher[@]}" chroot "$root" /bin/sh /.run "$@"
}
container -- version >"$work/log" 2>&1 && grep -q '^pollard [0-9]' "$work/log" && pass || { fail "version"; cat "$work/log"; }
container -- run /usr/share/pollard/configs/digits.yaml -o /tmp/alone.h5 "${small[@]}" >"$work/log" 2>&1 && pass || { fail "a study"; tail -n 20 "$work/log"; }
same "a study" "$root/tmp/alone.h5"

# Host's launcher, image's MPI: two containers are two ranks. As Apptainer does, both sides see one folder for temporary files and one /dev/shm.
if "$MPIEXEC" --version 2>&1 | grep -Eq '(Open MPI|OpenRTE)[^0-9]* 4\.1'; then
    mkdir -p "$work/tmp" "$root$work/tmp"
    export TMPDIR=$work/tmp
    mount_at --bind "$work/tmp" "$root$work/tmp"
    mount_at -t tmpfs tmpfs /dev/shm
    mount_at --bind /dev/shm "$root/dev/shm"
    both() { container "$MPIEXEC" -q --oversubscribe --bind-to none -n 2 -- "$@"; }
    both doctor -o "$work/tmp/both.h5" >"$work/log" 2>&1
    [ $? = 0 ] && grep -Eq '^ranks +ok +2 on ' "$work/log" && pass || { fail "doctor under the launcher of this machine"; cat "$work/log"; }
    both run /usr/share/pollard/configs/digits.yaml -o "$work/tmp/both.h5" "${small[@]}" >"$work/log" 2>&1 && pass || { fail "a study under the launcher of this machine"; tail -n 20 "$work/log"; }
    same "two containers" "$work/tmp/both.h5"
else
    echo "skipped: the launcher of this machine is of another MPI than the image's"
fi
finish
