#!/usr/bin/env bash
# deps.sh build|run|test|fuzz…: makes sure that what building, running, testing or fuzzing Guesthouse needs is installed.
# Silent and quick where nothing is missing; otherwise says what it installs and why, and installs it with
# the system's own package manager (as root, or through sudo). `run` includes `build`.
# GUESTHOUSE_DEPS=print only prints the command that would be run.
set -euo pipefail
. "$(dirname "$0")/common.sh"

# --- what is needed, by package manager -------------------------------------------------------------------

packages_apt() {
  case $1 in
    build) echo gcc libc6-dev pkg-config gettext ca-certificates libgtk-4-dev libadwaita-1-dev libvte-2.91-gtk4-dev ;;
    fuzz) echo g++ ;;
    run)
      echo qemu-system-x86 qemu-utils seabios ovmf swtpm osinfo-db
      echo adwaita-icon-theme fonts-dejavu-core librsvg2-common dbus
      # Newer releases keep the display we use in a package of its own.
      if ! compgen -G '/usr/lib/*/qemu/ui-dbus.so' >/dev/null; then echo qemu-system-modules-opengl; fi
      ;;
    test)
      echo xvfb xauth xdotool at-spi2-core dbus-x11 imagemagick desktop-file-utils appstream
      echo python3-gi gir1.2-gtk-4.0 gir1.2-atspi-2.0 xorriso
      # File systems, of which guests' disks are made.
      echo e2fsprogs btrfs-progs xfsprogs
      # Small bootable media, so that tests boot real ones without the network.
      echo memtest86+ grub-rescue-pc ipxe debian-installer-12-netboot-amd64
      ;;
  esac
}

# Not every release has these, and none fails without: tests that want the media say aloud that they skip.
optional_apt=" qemu-system-modules-opengl memtest86+ grub-rescue-pc ipxe debian-installer-12-netboot-amd64 "

packages_dnf() {
  case $1 in
    build) echo gcc pkgconf-pkg-config gettext 'pkgconfig(gtk4)' 'pkgconfig(libadwaita-1)' 'pkgconfig(vte-2.91-gtk4)' ;;
    fuzz) echo gcc-c++ ;;
    run)
      echo qemu-system-x86-core qemu-img qemu-ui-dbus qemu-device-display-virtio-vga seabios-bin
      echo edk2-ovmf swtpm osinfo-db
      echo adwaita-icon-theme dejavu-sans-fonts librsvg2 dbus-daemon
      ;;
    test)
      echo xorg-x11-server-Xvfb xorg-x11-xauth xdotool at-spi2-core dbus-x11 ImageMagick desktop-file-utils
      echo appstream python3-gobject xorriso e2fsprogs btrfs-progs xfsprogs
      ;;
  esac
}

packages_pacman() {
  case $1 in
    build) echo gcc pkgconf gettext gtk4 libadwaita vte4 ;;
    fuzz) ;;
    run)
      echo qemu-system-x86 qemu-img qemu-ui-dbus qemu-hw-display-virtio-vga seabios edk2-ovmf swtpm osinfo-db
      echo adwaita-icon-theme ttf-dejavu librsvg dbus
      ;;
    test)
      echo xorg-server-xvfb xorg-xauth xdotool at-spi2-core imagemagick desktop-file-utils appstream
      echo python-gobject libisoburn e2fsprogs btrfs-progs xfsprogs
      ;;
  esac
}

packages_zypper() {
  case $1 in
    build) echo gcc pkgconf gettext-tools 'pkgconfig(gtk4)' 'pkgconfig(libadwaita-1)' 'pkgconfig(vte-2.91-gtk4)' ;;
    fuzz) echo gcc-c++ ;;
    run)
      echo qemu-x86 qemu-img qemu-ui-dbus qemu-hw-display-virtio-vga qemu-seabios qemu-ovmf-x86_64 swtpm osinfo-db
      echo adwaita-icon-theme dejavu-fonts librsvg dbus-1-daemon
      ;;
    test)
      echo xorg-x11-server-Xvfb xauth xdotool at-spi2-core ImageMagick desktop-file-utils AppStream
      echo python3-gobject xorriso e2fsprogs btrfsprogs xfsprogs
      ;;
  esac
}

reason() {
  case $1 in
    build) echo "to build it: a C linker and GTK, libadwaita and VTE's development files" ;;
    fuzz) echo "to look for faults in it: a C++ compiler" ;;
    run) echo "to run it: QEMU, which runs the guests, with firmware and a TPM, the operating-system database, icons and a font" ;;
    test) echo "to test it: a virtual screen, the accessibility bus and small bootable discs" ;;
  esac
}

# --- which of them are missing: one call, one name a line ---------------------------------------------------

missing_apt() {
  # Names of packages for this machine's architecture come first; one installed kind is enough.
  dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    awk -v wanted="$*" '$1 == "installed" { have[$2] }
      END { n = split(wanted, name, " "); for (i = 1; i <= n; i++) if (!(name[i] in have)) print name[i] }'
}
missing_rpm() { LC_ALL=C rpm -q --whatprovides "$@" | sed -n 's/^no package provides //p' || true; }
missing_dnf() { missing_rpm "$@"; }
missing_zypper() { missing_rpm "$@"; }
missing_pacman() { pacman -T "$@" || true; }

# --- installing -----------------------------------------------------------------------------------------------

# Runs a command as root, or says which one a person with the right to do so should run.
as_root() {
  if [[ ${GUESTHOUSE_DEPS:-} == print ]]; then
    printf '%s\n' "$*"
  elif ((EUID == 0)); then
    "$@"
  elif ! command -v sudo >/dev/null; then
    fail "Packages are missing." "You are not root here, and there is no sudo." "Run this as root, then try again: $*"
  elif [[ -t 0 ]]; then
    sudo "$@"
  else
    sudo -n "$@" ||
      fail "Packages could not be installed." "sudo failed, or wants a password and there is no terminal to ask on." \
        "Run this yourself, then try again: sudo $*"
  fi
}

# Says what is about to be installed, and what for.
announce() {
  local group
  say "Guesthouse needs some packages that are not installed. Installing with $manager:"
  for group in "${groups[@]}"; do
    if printf '%s\n' $("packages_$manager" "$group") | grep -qxFf <(printf '%s\n' "$@"); then say "  $(reason "$group")"; fi
  done
  say "  $*"
}

# Packages of one QEMU fit together only in one version. A machine may hold some of another one than its
# sources now prefer (from backports, or from a source since removed); asking apt for the rest by name would
# fail, or remove those. So QEMU is installed first and in one version: the one that is already there, where
# a source still has it, else the one the sources prefer. Prints the arguments for that, if it is needed.
qemu_in_one_version() {
  local here wanted suite
  here=$(dpkg-query -W -f '${db:Status-Status} ${source:Package} ${source:Version}\n' 'qemu*' 2>/dev/null |
    awk '$1 == "installed" && $2 == "qemu" { print $3; exit }')
  # Rebuilt packages carry a suffix (+b3) that their source does not.
  wanted=$(apt-cache policy qemu-system-x86 | awk '$1 == "Candidate:" { sub(/\+b[0-9]+$/, "", $2); print $2 }')
  if [[ -z $here || $here == "$wanted" ]]; then return; fi

  suite=$(apt-cache madison qemu-system-x86 |
    awk -v version="$here" '{ sub(/\+b[0-9]+$/, "", $3) } $3 == version { sub(/\/.*/, "", $6); print $6; exit }')
  if [[ -n $suite ]]; then
    say "Parts of QEMU $here are installed; the others are taken from $suite too, where they come from."
    echo -t "$suite" qemu-system-x86 qemu-utils
    return
  fi
  say "Parts of QEMU $here are installed, which no package source here offers any more, and which do not" \
    "go with QEMU $wanted. They are replaced by those of $wanted, so that nothing has to be removed."
  # shellcheck disable=SC2046 # names of packages hold no blanks
  apt-cache madison qemu-system-x86 qemu-system-common qemu-system-data qemu-utils \
    $(dpkg-query -W -f '${db:Status-Status} ${source:Package} ${Package}\n' 'qemu*' |
      awk '$1 == "installed" && $2 == "qemu" { print $3 }') |
    awk -v version="$wanted" '
      BEGIN { printf "--allow-downgrades" }
      { plain = $3; sub(/\+b[0-9]+$/, "", plain) }
      plain == version && !seen[$1]++ { printf " %s=%s", $1, $3 }'
}

# Which of these names the package lists offer, in one call: each costs half a second.
offered_apt() {
  apt-cache policy "$@" 2>/dev/null |
    awk '/^[^ ]/ { name = $1; sub(/:$/, "", name) } $1 == "Candidate:" && $2 != "(none)" { print name }'
}

refresh_apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q ||
  say "Some package lists could not be renewed; going on with those that are there."; }

# Which of these names are not among `wanted`, the optional ones aside.
unknown_apt() {
  local name
  for name in "$@"; do
    if [[ " ${wanted[*]} $optional_apt" != *" $name "* ]]; then echo "$name"; fi
  done
}

install_apt() {
  local -a wanted=() qemu=() apt=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends)
  local name
  # Lists may be absent (fresh image) or too old to know a name.
  mapfile -t wanted < <(offered_apt "$@")
  if [[ -n $(unknown_apt "$@") ]]; then
    refresh_apt
    mapfile -t wanted < <(offered_apt "$@")
  fi
  name=$(unknown_apt "$@")
  if [[ -n $name && ${GUESTHOUSE_DEPS:-} != print ]]; then
    fail "These packages are missing: ${name//$'\n'/ }." "This system's package sources do not have them." \
      "Guesthouse needs Debian 12, Ubuntu 23.04 or anything newer; check the sources in /etc/apt."
  fi
  if ((${#wanted[@]} == 0)); then return; fi
  announce "${wanted[@]}"
  if [[ " ${wanted[*]} " == *" qemu-"* ]]; then
    read -r -a qemu < <(qemu_in_one_version) || true
    if ((${#qemu[@]})); then as_root "${apt[@]}" "${qemu[@]}"; fi
  fi
  # A list that went stale names files that are gone: renew it and try once more.
  as_root "${apt[@]}" "${wanted[@]}" || { refresh_apt && as_root "${apt[@]}" "${wanted[@]}"; }
}
install_dnf() { announce "$@" && as_root dnf install -y --setopt=install_weak_deps=False "$@"; }
install_pacman() {
  announce "$@"
  as_root pacman -S --needed --noconfirm "$@" ||
    fail "pacman could not install the packages." "Its lists may be older than the mirrors." \
      "Renew the system with \"pacman -Syu\" (renewing only the lists can break it), then try again."
}
install_zypper() { announce "$@" && as_root zypper --non-interactive install --no-recommends "$@"; }

# --- Rust -----------------------------------------------------------------------------------------------------

# Is cargo there, and not older than the project asks for?
rust_suffices() {
  local needed found
  needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$project/Cargo.toml")
  found=$(cargo --version 2>/dev/null | awk '{ print $2 }') && [[ -n $found ]] || return 1
  [[ $(printf '%s\n%s\n' "$needed" "$found" | sort -V | head -n 1) == "$needed" ]]
}

ensure_rust() {
  local needed
  if rust_suffices; then return; fi
  needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$project/Cargo.toml")
  say "Rust $needed or newer is needed to build Guesthouse; here is: $(cargo --version 2>/dev/null || echo none)."
  if ! command -v rustup >/dev/null; then
    case $manager in
      apt) if [[ -n $(offered_apt rustup) ]]; then install_apt rustup; fi ;;
      dnf) install_dnf cargo rust clippy rustfmt ;;
      pacman) if ! command -v cargo >/dev/null; then install_pacman rustup; fi ;;
      zypper) install_zypper cargo rust ;;
    esac
  fi
  if [[ ${GUESTHOUSE_DEPS:-} == print ]] || rust_suffices; then return; fi
  if command -v rustup >/dev/null; then
    say "Installing it with rustup, for your user."
    rustup toolchain install stable --profile minimal --component rustfmt --component clippy
    if ! rust_suffices; then rustup default stable; fi
  fi
  rust_suffices ||
    fail "Rust $needed or newer could not be found or installed." \
      "This system's packages do not offer it, or another toolchain is chosen here (see \`rustup show\`)." \
      "Run this, then try again: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y"
}

# --- the work -------------------------------------------------------------------------------------------------

manager=
for candidate in apt dnf zypper pacman; do
  case $candidate in apt) tool=apt-get ;; *) tool=$candidate ;; esac
  if command -v "$tool" >/dev/null; then
    manager=$candidate
    break
  fi
done

groups=()
for group in "$@"; do
  case $group in
    build | test | fuzz) groups+=("$group") ;;
    run) groups+=(build run) ;;
    *) fail "deps.sh does not know \"$group\"." "It knows build, run, test and fuzz." "Name one or more of these." ;;
  esac
done
if ((${#groups[@]} == 0)); then groups=(build); fi

if [[ -z $manager ]]; then
  # Not an error: everything may be there all the same, and cargo says what is not.
  say "No package manager that is known here (apt, dnf, zypper, pacman): install what is missing yourself." \
    "Guesthouse needs GTK 4.8, libadwaita 1.2, VTE 0.70 with GTK 4, QEMU 7.2 and a C linker."
else
  all=()
  for group in "${groups[@]}"; do all+=($("packages_$manager" "$group")); done
  mapfile -t absent < <("missing_$manager" "${all[@]}")
  if ((${#absent[@]})); then "install_$manager" "${absent[@]}"; fi
fi
ensure_rust
