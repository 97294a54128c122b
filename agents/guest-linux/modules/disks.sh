# shellcheck shell=dash
# The root filesystem follows its grown disk: the partition, then ext4, xfs or btrfs. What stands behind the partition is
# never touched: it is reported as the fact growBlocked. AETHERV_ROOTFS: the mount point, for tests.

module_disks() {
  local mount="${AETHERV_ROOTFS:-/}" device kind real
  read -r device kind <<EOF
$(awk -v mount="$mount" '$2 == mount { at = $1 " " $3 } END { print at }' /proc/mounts)
EOF
  real=$(readlink -f "$(root_device "$device")")
  if [ ! -b "$real" ]; then
    blocked "$mount is on $device, which is no block device"
    return 0
  fi
  case ${real##*/} in
    dm-*)
      blocked "$mount is on a device of the device mapper (LVM or encryption)"
      return 0
      ;;
  esac
  rm -f "$STATE/grow-blocked"
  if [ -f "/sys/class/block/${real##*/}/partition" ]; then grow_partition "$real"; fi
  grow_filesystem "$real" "$kind" "$mount"
}

blocked() { printf '%s\n' "$1" | durable "$STATE/grow-blocked"; }

# /dev/root is a name of the kernel's own.
root_device() {
  local id
  if [ "$1" != /dev/root ]; then
    echo "$1"
    return
  fi
  id=$(stat -c %d /)
  echo "/dev/$(sed -n 's/^DEVNAME=//p' "/sys/dev/block/$((id / 256)):$((id % 256))/uevent")"
}

# In sectors of 512 bytes, as /sys counts.
grow_partition() {
  local name=${1##*/} disk number start size total other other_start
  disk=$(readlink -f "/sys/class/block/$name/..")
  disk=${disk##*/}
  number=$(cat "/sys/class/block/$name/partition")
  start=$(cat "/sys/class/block/$name/start")
  size=$(cat "/sys/class/block/$name/size")
  total=$(cat "/sys/class/block/$disk/size")
  # Less than 2 MiB behind it: the second partition table of GPT and its alignment.
  [ $((total - start - size)) -gt 4096 ] || return 0
  set +f
  for other in "/sys/class/block/$disk/$disk"*; do
    set -f
    [ -f "$other/start" ] && [ "${other##*/}" != "$name" ] || continue
    other_start=$(cat "$other/start")
    if [ "$other_start" -gt "$start" ]; then
      blocked "partition ${other##*/} is behind the root partition $name"
      return 0
    fi
  done
  set -f
  if there growpart; then
    growpart "/dev/$disk" "$number" >/dev/null 2>&1
  elif there sfdisk; then
    sfdisk --relocate gpt-bak-std "/dev/$disk" >/dev/null 2>&1
    echo ', +' | sfdisk -q --no-reread --force -N "$number" "/dev/$disk" >/dev/null 2>&1 &&
      { partx -u "/dev/$disk" || blockdev --rereadpt "/dev/$disk"; } >/dev/null 2>&1
  else
    fail NotSupported 'neither growpart nor sfdisk is installed: the partition cannot grow'
  fi
  [ "$(cat "/sys/class/block/$name/size")" -gt "$size" ] || fail ModuleFailed "partition $name could not be grown"
}

# Each does nothing where the filesystem fills its device.
grow_filesystem() {
  case $2 in
    ext2 | ext3 | ext4) resize2fs "$1" ;;
    xfs) xfs_growfs "$3" ;;
    btrfs) btrfs filesystem resize max "$3" ;;
    *)
      blocked "filesystem $2 cannot grow here"
      return 0
      ;;
  esac >/dev/null 2>&1 || fail ModuleFailed "the $2 filesystem of $3 could not be grown"
}
