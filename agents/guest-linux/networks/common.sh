# shellcheck shell=dash
# Which of the systems cares for the network, and that cloud-init does not.

network_kind() {
  if there netplan && [ -d "$AETHERV_ROOT/etc/netplan" ]; then
    echo netplan
  elif there nmcli && nmcli -t -f RUNNING general 2>/dev/null | grep -qx running; then
    echo NetworkManager
  elif there networkctl && [ -d "$AETHERV_ROOT/etc/systemd/network" ] && systemctl -q is-enabled systemd-networkd 2>/dev/null; then
    echo networkd
  elif there ifup && [ -f "$AETHERV_ROOT/etc/network/interfaces" ]; then
    echo ifupdown
  else
    echo none
  fi
}

# It wrote the network at first boot; from now on it neither writes nor takes the machine for a new instance.
cloud_init_off() {
  local file="$AETHERV_ROOT/etc/cloud/cfg.d/99-aetherv.cfg"
  local text='network: {config: disabled}
preserve_hostname: true
manual_cache_clean: true'
  [ -d "$AETHERV_ROOT/etc/cloud" ] || return 0
  if holds "$file" "$text"; then return 0; fi
  mkdir -p "${file%/*}" && printf '%s\n' "$text" | durable "$file" && chmod 644 "$file" ||
    fail ModuleFailed "$file could not be written"
}

# Words of a list, joined by another separator.
joined() { printf '%s' "$1" | tr ' ' "$2"; }
