#!/usr/bin/env bash
# install.sh DESTDIR PREFIX: puts Guesthouse where a desktop finds it. The three programs stay beside each
# other: the window and the command start the core from their own folder.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$project"
root=$1$2

# `sudo make install` must not build as root into the user's folder; it installs what was built before.
programs=$(target_folder)/release
if [[ ! -x $programs/guesthouse || ! -x $programs/hv || ! -x $programs/hv-core ]]; then
  resources/setup/deps.sh build
  cargo build --release --locked -p virt-gui -p hv-core -p hv-cli --bins
fi

install -D -m 755 -t "$root/bin" "$programs/guesthouse" "$programs/hv" "$programs/hv-core"
install -D -m 644 -t "$root/share/applications" resources/dev.guesthouse.Guesthouse.desktop
install -D -m 644 -t "$root/share/metainfo" resources/dev.guesthouse.Guesthouse.metainfo.xml
icons=share/icons/hicolor
install -D -m 644 -t "$root/$icons/scalable/apps" resources/icons/scalable/apps/dev.guesthouse.Guesthouse.svg
install -D -m 644 -t "$root/$icons/symbolic/apps" \
  resources/icons/symbolic/apps/dev.guesthouse.Guesthouse-symbolic.svg
while read -r language; do
  [[ -z $language || $language == \#* ]] && continue
  mkdir -p "$root/share/locale/$language/LC_MESSAGES"
  msgfmt -o "$root/share/locale/$language/LC_MESSAGES/guesthouse.mo" "po/$language.po"
done <po/LINGUAS

# A packager's tools do this themselves; on the running system it makes the menu entry appear at once.
if [[ -z $1 ]]; then
  command -v update-desktop-database >/dev/null && update-desktop-database -q "$root/share/applications" || true
  command -v gtk4-update-icon-cache >/dev/null && gtk4-update-icon-cache -q -t "$root/$icons" 2>/dev/null || true
fi
say "Guesthouse is installed in $root."
