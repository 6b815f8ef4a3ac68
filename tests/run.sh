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
# Tests of single widgets share a screen and a bus of their own; those of the whole program bring one each. A screen that
# begins anew whenever nobody is connected refuses who comes in that moment.
alone=(dbus-run-session -- xvfb-run --auto-servernum --server-args "-screen 0 1280x1024x24 -noreset")
if command -v cargo-nextest >/dev/null; then
  "${alone[@]}" cargo nextest run --workspace --locked --no-fail-fast "$@"
  cargo test --workspace --doc --locked --quiet "$@"
else
  say "test: cargo-nextest is not installed; using cargo test, which is slower"
  "${alone[@]}" cargo test --workspace --locked --no-fail-fast "$@"
fi
