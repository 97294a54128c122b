# shellcheck shell=dash
# What cares for the network of the guest whose root is $root: its real programs and daemons, without an init. Loaded by start.sh, before the guest has its eth0.
# shellcheck disable=SC2154

network_ifupdown() {
  mkdir -p "$root/etc/network/if-up.d" "$root/etc/network/if-pre-up.d" "$root/etc/network/if-down.d" "$root/etc/network/if-post-down.d"
  mkdir -p "$root/run/network"
  printf 'auto lo\niface lo inet loopback\n' >"$root/etc/network/interfaces"
}

# With OpenRC as far as it has to be for services to start: what its own `openrc sysinit` makes.
network_openrc() {
  network_ifupdown
  for name in starting started stopping inactive wasinactive failed hotplugged daemons options exclusive scheduled tmp; do
    mkdir -p "$root/run/openrc/$name"
  done
  : >"$root/run/openrc/softlevel"
  : >"$root/etc/fstab"
  printf '#!/sbin/openrc-run\ncommand=/usr/bin/sleep\ncommand_args=100000\ncommand_background=true\npidfile=/run/beacon.pid\n' >"$root/etc/init.d/beacon"
}

# With systemd-resolved, which the name servers of networkd are for.
network_networkd() {
  mkdir -p "$root/etc/systemd/network"
  chroot "$root" systemctl -q enable systemd-networkd
  ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
  bus
  as_service systemd-network systemd/netif systemd/netif/links systemd/netif/leases systemd/netif/lldp
  as_service systemd-resolve systemd/resolve
  in_guest /lib/systemd/systemd-networkd
  in_guest /lib/systemd/systemd-resolved
}

network_NetworkManager() {
  mkdir -p "$root/etc/NetworkManager/system-connections" "$root/var/lib/NetworkManager"
  # systemd-resolved, where this machine has it, does not run in the guest.
  rm -f "$root/usr/sbin/resolvconf"
  bus
  in_guest NetworkManager --no-daemon
  until [ "$(chroot "$root" nmcli -t -f RUNNING general 2>/dev/null)" = running ]; do sleep 0.2; done
}

# A user and folders in /run, as its unit has them made.
as_service() {
  local user=$1 name
  shift
  grep -q "^$user:" "$root/etc/passwd" || chroot "$root" useradd --system --no-create-home --user-group --shell /usr/sbin/nologin "$user"
  for name; do
    mkdir -p "$root/run/$name"
    chroot "$root" chown "$user:$user" "/run/$name"
  done
}

# The system's bus, on which everybody may do everything.
bus() {
  mkdir -p "$root/run/dbus"
  cat >"$root/run/dbus/system.conf" <<'EOF'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/></policy>
</busconfig>
EOF
  in_guest dbus-daemon --config-file=/run/dbus/system.conf --nofork --nopidfile
  until [ -S "$root/run/dbus/system_bus_socket" ]; do sleep 0.1; done
}

# A daemon; what it says is in /run of the guest.
in_guest() { chroot "$root" "$@" >"$root/run/${1##*/}.log" 2>&1 </dev/null & }
