#!/usr/bin/env bash
# The Debian package of CPack, in a Debian that has nothing else: it names what it needs, is installed by dpkg, works for somebody who is not root, and leaves
# nothing behind.
set -u
. "$(dirname "$0")/debian.sh"
release=$(. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME") || skip "this is no Debian: the program's libraries are not those of one"
for program in cpack dpkg-shlibdeps file; do
    command -v "$program" >/dev/null || skip "$program is missing (Debian: cmake, dpkg-dev, file)"
done
build=$(dirname "$(dirname "$POLLARD")")
(cd "$build" && cpack -G DEB -B "$work/packages") >"$work/log" 2>&1 || { fail "cpack -G DEB"; cat "$work/log"; finish; }
package=$(echo "$work"/packages/*.deb)
file=$(basename "$package")
[ -f "$package" ] && pass || { fail "packages: $package"; finish; }
dpkg-deb -c "$package" | awk '$6 !~ /^\.\/(usr\/((bin|share)\/.*)?)?$/ {print; bad = 1} END {exit bad}' && pass || fail "files outside of /usr/bin and /usr/share"
dpkg-deb -c "$package" | awk '$2 != "root/root" || (substr($1, 6, 1) == "w") || (substr($1, 9, 1) == "w") {print; bad = 1} END {exit bad}' && pass || fail "files that others may change"

system debian "$release"
files() { # what the package may have left anywhere; apt's and dpkg's own books and the logs are theirs
    (cd "$root" && find . -xdev \( -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log -o -path ./tmp -o -path ./proc -o -path ./dev -o -name '*-old' \) -prune -o \
        -printf '%p %y %m %u %l\n' | sort)
}
within "$root" apt-get update >"$work/log" 2>&1 || { tail -n 5 "$work/log"; skip "apt-get update: no mirror?"; }
cp "$package" "$root/tmp/"

# Without what it needs dpkg refuses to configure it, and says what is missing: the package knows its libraries.
within "$root" dpkg -i "/tmp/$file" >"$work/log" 2>&1
[ $? != 0 ] && grep -q 'depends on openmpi-bin' "$work/log" && grep -q 'depends on libfyaml0' "$work/log" && pass || { fail "dpkg -i without its libraries"; cat "$work/log"; }
within "$root" dpkg -P pollard >/dev/null 2>&1
needs=$(dpkg-deb -f "$package" Depends | sed 's/([^)]*)//g; s/|[^,]*//g; s/,/ /g')
# shellcheck disable=SC2086 # a word for each
within "$root" apt-get install -y --no-install-recommends $needs >"$work/log" 2>&1 && pass || { fail "apt-get install $needs"; tail -n 20 "$work/log"; finish; }
files >"$work/before"

within "$root" dpkg -i "/tmp/$file" >"$work/log" 2>&1 && pass || { fail "dpkg -i"; cat "$work/log"; finish; }
[ -z "$(within "$root" dpkg --audit)" ] && [ -z "$(within "$root" dpkg -V pollard)" ] && pass || fail "dpkg is not content: $(within "$root" dpkg --audit; within "$root" dpkg -V pollard)"
within "$root" apt-get check >"$work/log" 2>&1 && pass || { fail "apt-get check"; cat "$work/log"; }
! within "$root" ldd /usr/bin/pollard | grep 'not found' && pass || fail "a library that no package brings"
[ -s "$root/usr/share/doc/pollard/copyright" ] && pass || fail "no copyright file"

# Somebody who is not root.
someone() {
    within "$root" setpriv --reuid=1000 --regid=1000 --clear-groups env -C /tmp/someone HOME=/tmp/someone "$@"
}
mkdir -m 755 "$root/tmp/someone" && chown 1000:1000 "$root/tmp/someone"
found=$(someone pollard --version | head -n 1)
[ -n "$found" ] && [ "$found" = "$("$POLLARD" --version | head -n 1)" ] && pass || fail "version: '$found', expected that of the program here"
someone mpirun --oversubscribe --bind-to none -n 2 pollard doctor -o /tmp/someone/digits.h5 >"$work/log" 2>&1
[ $? = 0 ] && grep -Eq '^ranks +ok +2 on ' "$work/log" && pass || { fail "doctor"; cat "$work/log"; }
someone mpirun --oversubscribe --bind-to none -n 2 pollard run /usr/share/pollard/configs/digits.yaml -o digits.h5 "${small[@]}" >"$work/log" 2>&1 &&
    pass || { fail "the digits study"; tail -n 20 "$work/log"; }
same "the digits study" "$root/tmp/someone/digits.h5"
[ "$(find "$root/tmp/someone" -type f ! -name 'digits.h5' | wc -l)" = 0 ] && pass || fail "left beside the result: $(find "$root/tmp/someone" -type f)"

# Over itself, and away again.
within "$root" dpkg -i "/tmp/$file" >"$work/log" 2>&1 && pass || { fail "dpkg -i once more"; cat "$work/log"; }
within "$root" dpkg -r pollard >"$work/log" 2>&1 && pass || { fail "dpkg -r"; cat "$work/log"; }
files | diff "$work/before" - >"$work/differs" && pass || { fail "dpkg -r leaves behind, or takes with it"; head "$work/differs"; }
within "$root" dpkg -P pollard >/dev/null 2>&1
! within "$root" dpkg -s pollard >/dev/null 2>&1 && [ -z "$(find "$root/var/lib/dpkg/info" -name 'pollard*')" ] && pass || fail "dpkg still knows the package"
finish
