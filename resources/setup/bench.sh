#!/usr/bin/env bash
# Measures Guesthouse, and virt-manager beside it where that is installed: figures of different machines, or
# of different hours on a shared one, compare badly, so both are taken in one run.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$project"

resources/setup/deps.sh run test
command -v virt-manager >/dev/null || say "virt-manager is not installed: skipping the comparison with it."
cargo build --release --locked -p virt-gui -p hv-core -p hv-cli -p hv-tests --bins
exec "$(target_folder)/release/guesthouse-bench" "$@"
