#!/usr/bin/env bash
# tour.sh PROGRAM FOLDER [OPTION…]: runs PROGRAM FOLDER OPTION… on a virtual screen, in a session of its own: own bus, own XDG
# folders, so that nothing of the user's guests is seen or touched. Prints the pictures it left in FOLDER.
set -euo pipefail
. "$(dirname "$0")/common.sh"
program=$1
pictures=$2

# Short, because the paths of sockets below it may have no more than 107 bytes.
home=$(mktemp -d /tmp/guesthouse-tour.XXXXXX)

# Guests outlive the window and the core, so what is left of this tour is found by its environment.
end_session() {
  local file
  for file in /proc/[0-9]*/environ; do
    if tr '\0' '\n' 2>/dev/null <"$file" | grep -qxF "GUESTHOUSE_TOUR=$home"; then
      kill "$(basename "$(dirname "$file")")" 2>/dev/null || true
    fi
  done
  rm -rf "$home"
}
trap end_session EXIT

mkdir -p "$pictures"
mkdir -m 700 "$home"/{run,data,state,config,cache}
rm -f "$pictures"/*.png

(
  unset WAYLAND_DISPLAY DISPLAY DBUS_SESSION_BUS_ADDRESS GUESTHOUSE_SOCKET
  export GUESTHOUSE_TOUR=$home XDG_RUNTIME_DIR=$home/run XDG_DATA_HOME=$home/data XDG_STATE_HOME=$home/state
  export XDG_CONFIG_HOME=$home/config XDG_CACHE_HOME=$home/cache GDK_BACKEND=x11 LC_ALL=C.UTF-8
  exec dbus-run-session -- xvfb-run -a -s "-screen 0 1280x900x24" "$program" "$pictures" "${@:3}"
) && status=0 || status=$?

if compgen -G "$pictures/*.png" >/dev/null; then
  say "Pictures of the tour:"
  printf '%s\n' "$pictures"/*.png
fi
exit "$status"
