#!/usr/bin/env bash
# run.sh SOURCES BUILD SECONDS [TARGET...]: every fuzz target, or these, under libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer for SECONDS, in a build of
# its own with clang. Exit code 77 where clang or its libFuzzer is not installed. A crash leaves its input in BUILD/found.
set -u
sources=$1 build=$2 seconds=$3 only=" ${*:4} "
clang=${CLANG:-clang}
printf 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n); int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { (void)d; return n > 99999; }' |
    "$clang" -fsanitize=fuzzer,address -x c - -o /dev/null 2>/dev/null || { echo "clang with libFuzzer is not installed"; exit 77; }
cmake -S "$sources" -B "$build" -DCMAKE_C_COMPILER="$clang" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPOLLARD_TESTS=ON -DPOLLARD_SANITIZE=ON \
    -DPOLLARD_LIBFUZZER=ON -DPOLLARD_ONEDNN=OFF >"$build.log" 2>&1 &&
    cmake --build "$build" --target fuzz_libfuzzer --parallel 2 >>"$build.log" 2>&1 || { tail -20 "$build.log"; exit 1; }
program=$(find "$build" -name fuzz_libfuzzer -type f)
failed=0 ran=0
for file in "$sources"/tests/fuzz/targets/*.c; do
    target=$(basename "$file" .c)
    [ -z "${only// /}" ] || [[ $only == *" $target "* ]] || continue
    seeds=$build/seeds/$target new=$build/new/$target found=$build/found
    mkdir -p "$seeds" "$new" "$found"
    grep -o '"[^" ]*/[^" ]*\.[a-z0-9]*"' "$file" | tr -d '"' | grep -Ev '\.h$|%' | while read -r seed; do cp "$sources/$seed" "$seeds/" || exit 1; done || { echo "$target: a seed is missing"; failed=1; continue; }
    ran=1
    timeout=20
    [ "$target" = result ] && timeout=150 # a damaged file can keep HDF5 busy until the reader's own limit, 120 s
    most=$(grep -o '1 << [0-9]*}' "$file" | tr -dc '0-9 <')
    FUZZ_TARGET=$target ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 "$program" -max_total_time="$seconds" -timeout="$timeout" \
        -rss_limit_mb=3000 -max_len=$((most)) -artifact_prefix="$found/$target-" -print_final_stats=1 "$new" "$seeds" >"$build/$target.log" 2>&1
    code=$?
    echo "$target: $(grep -o 'number_of_executed_units: [0-9]*' "$build/$target.log"), exit code $code"
    [ $code = 0 ] || { failed=1; tail -60 "$build/$target.log"; }
done
[ $ran = 1 ] || { echo "no such target:$only"; exit 2; }
exit $failed
