#!/usr/bin/env bash
# What a reviewer would otherwise have to say: formatting, lints, documentation, licences and sources of
# dependencies. Changes nothing.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$project"

resources/setup/deps.sh build
# A toolchain made for building alone comes without these two.
if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
  command -v rustup >/dev/null ||
    fail "Formatting and lints cannot be checked." "cargo fmt or cargo clippy is not installed." \
      "Install your system's packages rustfmt and clippy, then try again."
  rustup component add rustfmt clippy
fi
say "check: formatting"
cargo fmt --all --check
say "check: lints"
cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
say "check: documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked --quiet -p hv-api -p virt-kit -p installer-wizard
if command -v cargo-deny >/dev/null; then
  say "check: dependencies"
  cargo deny --config .deny.toml check bans licenses sources
else
  say "check: skipping cargo-deny, which is not installed; \`make test\` still checks licences and sources"
fi
