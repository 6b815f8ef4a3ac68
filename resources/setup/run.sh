#!/usr/bin/env bash
# Builds Guesthouse as people will judge it (optimised) and opens its window. Where there is no screen, it
# says so and takes the same path on a virtual one, leaving pictures of what a person would have seen.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$project"

if [[ -n ${WAYLAND_DISPLAY:-} || -n ${DISPLAY:-} ]]; then
  resources/setup/deps.sh run
else
  say "There is no screen here (neither WAYLAND_DISPLAY nor DISPLAY is set)." \
    "Guesthouse will be shown on a virtual one instead, and leave pictures."
  resources/setup/deps.sh run test
fi

say "Building Guesthouse. The first time takes some minutes, later times seconds."
cargo build --release --locked -p virt-gui -p hv-core -p hv-cli --bins
programs=$(target_folder)/release

if [[ -n ${WAYLAND_DISPLAY:-} || -n ${DISPLAY:-} ]]; then
  exec "$programs/guesthouse" "$@"
fi
cargo build --release --locked -p hv-tests --bin guesthouse-tour
exec resources/setup/tour.sh "$programs/guesthouse-tour" "$(target_folder)/tour"
