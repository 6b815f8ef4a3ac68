#!/usr/bin/env bash
# The whole test suite. Tests bring their own screens, buses and folders, and touch nothing of the user's.
# Arguments go to the runner: `tests/run.sh -p hv-core`.
set -euo pipefail
. "$(dirname "$0")/../resources/setup/common.sh"
cd "$project"

resources/setup/deps.sh run test
# Tests start hv-core, hv and guesthouse as a person would, so these are built first; together with the tests,
# so that a dependency is compiled once for both.
say "test: building"
cargo build --workspace --bins --tests --locked
say "test: running"
if command -v cargo-nextest >/dev/null; then
  cargo nextest run --workspace --locked --no-fail-fast "$@"
  cargo test --workspace --doc --locked --quiet "$@"
else
  say "test: cargo-nextest is not installed; using cargo test, which is slower"
  cargo test --workspace --locked --no-fail-fast "$@"
fi
