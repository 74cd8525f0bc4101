#!/usr/bin/env bash
# tests/e2e/test_modules.sh in a Debian with Lmod, which cannot be installed beside Environment Modules.
set -u
. "$(dirname "$0")/debian.sh"
release=$(. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME") || skip "this is no Debian: the program's libraries are not those of one"
build=$(dirname "$(dirname "$POLLARD")")
[ -f "$build/cmake_install.cmake" ] && command -v cmake >/dev/null || skip "$POLLARD is in no build folder"

system lmod "$release"
within "$root" apt-get update >"$work/log" 2>&1 || { tail -n 5 "$work/log"; skip "apt-get update: no mirror?"; }
mapfile -t needs < <(ldd "$POLLARD" | awk '$2 == "=>" {print $3}' | xargs -r realpath | xargs -r -n 1 dpkg-query -S 2>/dev/null | cut -d: -f1 | sort -u)
within "$root" apt-get install -y --no-install-recommends lmod man-db openmpi-bin "${needs[@]}" >"$work/log" 2>&1 || { fail "apt-get install"; tail -n 20 "$work/log"; finish; }
DESTDIR=$root cmake --install "$build" --prefix /opt/pollard >"$work/log" 2>&1 && pass || { fail "cmake --install"; cat "$work/log"; }
mkdir -p "$root/source/tests"
cp -r "$SOURCE/tests/e2e" "$SOURCE/tests/support" "$root/source/tests/"
within "$root" env MPIEXEC=mpiexec SOURCE=/source POLLARD=/opt/pollard/bin/pollard POLLARD_PREFIX=/opt/pollard /source/tests/e2e/test_modules.sh >"$work/log" 2>&1 && pass || fail "under Lmod"
cat "$work/log"
grep -q '/lmod/' "$work/log" && pass || fail "Lmod was not tried"
finish
