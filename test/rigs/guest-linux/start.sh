#!/bin/sh
# A guest of namespaces: this machine's own Debian root under an overlay, with network, mount, UTS and PID namespaces of its own.
# start.sh FOLDER AGENT MAC PACKAGES KIND: KIND cares for its network (network.sh) and comes from Debian's packages in the folder PACKAGES; FOLDER/hyperv is its
# /var/lib/hyperv; the outside is a network namespace with 192.0.2.1 (a veth).
# Writes the ids of the processes that hold both to FOLDER/outside.pid and FOLDER/guest.pid, and runs until it is ended.
# shellcheck shell=dash
set -eu
folder=$1 agent=$2 mac=$3 packages=$4 kind=$5 part=${6:-start}

case $part in
  start)
    mkdir -p "$folder/layer" "$folder/root" "$folder/hyperv"
    exec unshare --net --mount --fork --kill-child sh "$0" "$folder" "$agent" "$mac" "$packages" "$kind" outside
    ;;
  outside)
    # Layers on a tmpfs: an overlay cannot lie on an overlay.
    mount -t tmpfs tmpfs "$folder/layer"
    mkdir "$folder/layer/upper" "$folder/layer/work"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/layer/upper,workdir=$folder/layer/work" "$folder/root"
    ip link set lo up
    unshare --net --mount --uts --ipc --pid --fork --kill-child sh "$0" "$folder" "$agent" "$mac" "$packages" "$kind" guest &
    inner=$!
    # Ends with an error when the guest does.
    guest=''
    while [ -z "$guest" ]; do
      sleep 0.1
      guest=$(cat "/proc/$inner/task/$inner/children")
    done
    # shellcheck disable=SC2086
    set -- $guest
    until [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
    ip link add outside type veth peer name eth0 address "$mac"
    ip link set eth0 netns "$1"
    ip addr add 192.0.2.1/24 dev outside
    ip link set outside up
    echo $$ >"$folder/outside.pid"
    echo "$1" >"$folder/guest.pid.new"
    until [ -e "$folder/ready" ]; do sleep 0.1; done
    mv "$folder/guest.pid.new" "$folder/guest.pid"
    wait
    ;;
  guest)
    root="$folder/root"
    mount -t proc proc "$root/proc"
    # Read-only: daemons then know that there is no udev, and take interfaces as they come.
    mount -t sysfs -o ro sysfs "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mkdir -p "$root/var/lib/hyperv" "$root/opt/agent" "$root/usr/local/sbin" "$root/etc/sudoers.d" "$root/etc/rc2.d"
    mount --bind "$folder/hyperv" "$root/var/lib/hyperv"
    mount --bind "$agent" "$root/opt/agent"
    # Out of the packages: nothing is installed on this machine.
    for package in "$packages"/*.deb; do
      [ -e "$package" ] || continue
      dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root"
    done
    rm -rf "$root/etc/netplan" "$root/etc/resolv.conf" "$root/etc/network" "$root/etc/systemd/network" "$root/etc/NetworkManager/system-connections"
    mkdir -p "$root/etc/network"
    echo 'nameserver 192.0.2.99' >"$root/etc/resolv.conf"
    echo 'old-name' >"$root/etc/hostname"
    hostname old-name
    ip link set lo up
    cat >"$root/etc/init.d/beacon" <<'EOF'
#!/bin/sh
# A service with an init script: a process that sleeps.
case $1 in
  start) setsid sleep 100000 >/dev/null 2>&1 </dev/null & echo $! >/run/beacon.pid ;;
  stop) kill "$(cat /run/beacon.pid)"; rm -f /run/beacon.pid ;;
  status) [ -f /run/beacon.pid ] && kill -0 "$(cat /run/beacon.pid)" ;;
esac
EOF
    chmod 755 "$root/etc/init.d/beacon"
    # shellcheck source=network.sh
    . "${0%/*}/network.sh"
    "network_$kind"
    : >"$folder/ready"
    exec chroot "$root" sh -c 'while :; do sleep 1000 & wait; done'
    ;;
esac
