#!/usr/bin/env bash
# fuzz.sh [SECONDS [TARGET]]: lets the fuzzers look for input that the core can't stand, each for so long (60 s where
# nothing is said). What they find is written beside their corpus; add it there when it is mended, so that every
# run of the tests tries it again.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$project/hv-core/fuzz"

seconds=${1:-60}
targets=${2:-answers appliance boot_menu definition medium qmp requests tree}
[[ $seconds =~ ^[0-9]+$ ]] || { echo "fuzz.sh: “$seconds” is no number of seconds" >&2; exit 2; }

"$project/resources/setup/deps.sh" build fuzz
say "fuzz: building"
host=$(rustc -vV | sed -n 's/^host: //p')
# What cargo-fuzz passes as well; it would need nothing but these, and a nightly compiler for the rest.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
folder=$(target_folder)/fuzz
cargo build --release --locked --target "$host" --target-dir "$folder"

# Programs of Rust begin with this; these begin with libFuzzer's.
trap '' PIPE
for target in $targets; do
  say "fuzz: $target, $seconds s"
  found=$folder/found/$target
  mkdir -p "$found"
  # What is made up grows in a copy; and nothing that a made-up call names is there to be run.
  env PATH=/nonexistent "$folder/$host/release/$target" -max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 \
    -max_len=8192 -print_final_stats=1 -print_funcs=0 -verbosity=0 -artifact_prefix="$found/" "$found" "corpus/$target"
done
say "fuzz: nothing was found"
