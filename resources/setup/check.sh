#!/usr/bin/env bash
# What a reviewer would otherwise have to say: formatting, lints, documentation, licences and sources of
# dependencies. Changes nothing.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$project"

resources/setup/deps.sh build
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
