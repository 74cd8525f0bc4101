# Shared by the tests of packages; sourced, after which the rest of the caller runs in mount and process namespaces of its own: whatever it has mounted and started
# goes with it. Needs what tests/e2e/lib.sh needs. POLLARD_DEBIAN=FOLDER, if given, keeps the systems that all others are copies of, one for each release.
skip() {
    echo "skipped: $*"
    exit 77
}

if [ -z "${POLLARD_OWN_MOUNTS:-}" ]; then
    [ "$(id -u)" = 0 ] || skip "only root may make another system in a folder"
    for program in debootstrap unshare chroot dpkg-deb h5diff; do
        command -v "$program" >/dev/null || skip "$program is missing (Debian: debootstrap, dpkg, hdf5-tools)"
    done
    unshare --mount --pid --fork -- true 2>/dev/null || skip "this container may not make mount and process namespaces"
    POLLARD_OWN_MOUNTS=1 exec unshare --mount --pid --fork --kill-child --mount-proc -- "$0" "$@"
fi

. "$SOURCE/tests/e2e/lib.sh"
mounts=()
clear_up() {
    local i
    for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do umount "${mounts[i]}" || return; done # nothing is removed through a mount
    rm -rf --one-file-system "$work"
}
trap clear_up EXIT
mount_at() { # mount_at ARGUMENT... FOLDER
    mount "$@" && mounts+=("${*: -1}") || { fail "mount $*"; finish; }
}

# system NAME RELEASE: a Debian that holds what every one does, and no more; its folder is then $root.
system() {
    local kept=${POLLARD_DEBIAN:-$work/base} base made
    base=$kept/$2
    if [ ! -e "$base" ]; then # made beside it, so that nothing is removed that was not made here
        mkdir -p "$kept" && made=$(mktemp -d "$kept/made-XXXXXX") && chmod 755 "$made" || { fail "no folder can be made in $kept"; finish; }
        debootstrap --variant=minbase "$2" "$made" >"$work/debootstrap" 2>&1 || { tail -n 5 "$work/debootstrap"; rm -rf --one-file-system "$made"; skip "debootstrap has not made a Debian $2: no mirror?"; }
        mv "$made" "$base"
    fi
    root=$work/$1
    cp -a "$base" "$root"
    cp /etc/resolv.conf "$root/etc/"
    echo '127.0.0.1 localhost' >"$root/etc/hosts"
    mount_at -t proc proc "$root/proc"
    mount_at -t tmpfs tmpfs "$root/dev/shm"
}

# within ROOT COMMAND...: as in a shell there.
within() {
    local root=$1
    shift
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive ${http_proxy:+http_proxy="$http_proxy"} \
        OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_plm=isolated OMPI_MCA_mpi_yield_when_idle=1 OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 chroot "$root" "$@"
}

# same WHAT RESULT: equal to that of the program that is tested, but for /provenance.
same() {
    if [ ! -e "$work/here.h5" ]; then
        ranks 1 run "$SOURCE/configs/digits.yaml" -o "$work/here.h5" "${small[@]}" >/dev/null 2>"$work/err" || { fail "the study here"; cat "$work/err"; }
    fi
    [ -s "$2" ] && h5diff --exclude-path /provenance "$2" "$work/here.h5" >"$work/h5diff" 2>&1 && pass || { fail "$1: another result than here"; head -n 5 "$work/h5diff"; }
}
