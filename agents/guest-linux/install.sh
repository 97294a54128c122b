#!/bin/sh
# Installs the guest agent from the folder that this script is in. As root; again at any time. AETHERV_ROOT: root of a mounted image.
# shellcheck shell=dash
set -eu
root=${AETHERV_ROOT:-}
here=$(dirname "$(readlink -f "$0")")
target="$root/usr/lib/aetherv-guest"

complain() {
  printf 'aetherv-guest: %s\n' "$1" >&2
  exit 1
}

# What an agent without a network cannot fetch for itself.
needs() {
  for tool in openssl ip awk timeout cksum; do
    command -v "$tool" >/dev/null 2>&1 || complain "$tool is missing: install it (a static address cannot be fetched to install it later)"
  done
  for daemon in hv_kvp_daemon hypervkvpd; do
    for folder in usr/sbin sbin usr/lib/hyperv-daemons usr/libexec/hypervkvpd; do
      [ ! -x "$root/$folder/$daemon" ] || return 0
    done
    if command -v "$daemon" >/dev/null 2>&1; then return 0; fi
  done
  echo 'aetherv-guest: warning: hv_kvp_daemon was not found; install hyperv-daemons (Debian, RHEL), linux-cloud-tools-virtual (Ubuntu) or hvtools (Alpine)' >&2
}

[ "$(id -u)" = 0 ] || complain 'must be run by root'
[ -n "$root" ] || needs
mkdir -p "$target"
# The whole folder beside the old one, so that no old part stays.
rm -rf "$target.new"
mkdir "$target.new"
cp -R "$here/aetherv-guest" "$here/lib" "$here/modules" "$here/networks" "$target.new/"
# A medium of ISO 9660 keeps no modes.
chmod -R go-w,a+rX "$target.new"
chmod 755 "$target.new/aetherv-guest"
rm -rf "$target"
mv "$target.new" "$target"

# For each init that there is a place for: Debian has systemd's folder under OpenRC, too. The one that runs starts it.
placed=''
if [ -d "$root/etc/systemd/system" ]; then
  placed=systemd
  cp "$here/aetherv-guest.service" "$root/etc/systemd/system/aetherv-guest.service"
  chmod 644 "$root/etc/systemd/system/aetherv-guest.service"
  mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
  ln -sf ../aetherv-guest.service "$root/etc/systemd/system/multi-user.target.wants/aetherv-guest.service"
fi
if [ -d "$root/etc/runlevels/default" ]; then
  placed="$placed openrc"
  cp "$here/aetherv-guest.openrc" "$root/etc/init.d/aetherv-guest"
  chmod 755 "$root/etc/init.d/aetherv-guest"
  ln -sf /etc/init.d/aetherv-guest "$root/etc/runlevels/default/aetherv-guest"
fi
[ -n "$placed" ] || complain "neither systemd nor OpenRC is there: start $target/aetherv-guest run by your own means"
[ -z "$root" ] || exit 0
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl restart --no-block aetherv-guest.service
elif [ -d /run/openrc ]; then
  rc-service aetherv-guest restart
fi
