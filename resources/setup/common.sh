# shellcheck shell=bash
# What the scripts beside this one share: where the project is, where cargo puts programs, how to talk.

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf '%s\n' "$*" >&2; }

# Three lines, as everywhere in Guesthouse: what happened, why, what to do.
fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

# The folder cargo builds into, whether it comes from CARGO_TARGET_DIR, from a configuration file or from nowhere.
target_folder() {
  cargo metadata --manifest-path "$project/Cargo.toml" --format-version 1 --no-deps --locked |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}
