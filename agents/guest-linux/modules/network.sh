# shellcheck shell=dash
# Addresses by MAC through what the guest has (networks/): the new configuration is made beside the old one, the old one is kept
# until the gateways answer, and comes back when they do not.

BEFORE="$STATE/network-before"
NEXT="$RUN/network"

module_network() {
  local kind folder
  kind=$(network_kind)
  [ "$kind" != none ] || fail NotSupported 'none of netplan, NetworkManager, systemd-networkd and ifupdown is there'
  folder=$(network_folder "$kind")
  name_interfaces
  cloud_init_off
  rm -rf "$NEXT" && mkdir -p "$NEXT/tree" "$folder" && cp -a "$folder/." "$NEXT/tree/" && cp_resolv "$AETHERV_ROOT/etc/resolv.conf" "$NEXT/resolv.conf" ||
    fail ModuleFailed "$folder could not be copied"
  "network_write_$kind" "$NEXT/tree" || fail ModuleFailed "the configuration of $kind could not be made"
  if [ ! -f "$BEFORE/ready" ] && same_tree "$NEXT" "$folder" && is_settled; then return 0; fi
  keep_before "$folder" || fail ModuleFailed 'the old network configuration could not be kept'
  put_network "$kind" "$folder" "$NEXT"
  if is_up && gateways_answer; then
    rm -rf "$BEFORE"
    return 0
  fi
  put_network "$kind" "$folder" "$BEFORE"
  rm -rf "$BEFORE"
  fail NetworkUnreachable 'the new addresses or their gateway did not answer; the old configuration is back'
}

network_folder() {
  case $1 in
    netplan) echo "$AETHERV_ROOT/etc/netplan" ;;
    NetworkManager) echo "$AETHERV_ROOT/etc/NetworkManager/system-connections" ;;
    networkd) echo "$AETHERV_ROOT/etc/systemd/network" ;;
    *) echo "$AETHERV_ROOT/etc/network" ;;
  esac
}

# A resolv.conf that is a link belongs to somebody else.
cp_resolv() {
  if [ -L "$1" ] || [ ! -f "$1" ]; then return 0; fi
  cp "$1" "$2"
}

sums() { (cd "$1" && find . -type f -exec cksum {} + | sort); }

same_tree() {
  [ "$(sums "$1/tree")" = "$(sums "$2")" ] || return 1
  [ ! -f "$1/resolv.conf" ] || cmp -s "$1/resolv.conf" "$AETHERV_ROOT/etc/resolv.conf"
}

# Whole or not at all; that of a run that was killed is the true old one.
keep_before() {
  [ ! -f "$BEFORE/ready" ] || return 0
  rm -rf "$BEFORE" && mkdir -p "$BEFORE/tree" && cp -a "$1/." "$BEFORE/tree/" && cp_resolv "$AETHERV_ROOT/etc/resolv.conf" "$BEFORE/resolv.conf" &&
    sync && : >"$BEFORE/ready"
}

# put_network KIND FOLDER SOURCE: files of a copy take the folder's place, and become what runs.
put_network() {
  if [ "$1" = ifupdown ]; then ifupdown_down; fi
  (cd "$2" && find . -type f) | while IFS= read -r file; do [ -e "$3/tree/$file" ] || rm -f "$2/$file"; done
  cp -a "$3/tree/." "$2/"
  if [ -f "$3/resolv.conf" ]; then cat "$3/resolv.conf" >"$AETHERV_ROOT/etc/resolv.conf" && chmod 644 "$AETHERV_ROOT/etc/resolv.conf"; fi
  live || return 0
  "network_apply_$1" >/dev/null 2>&1 </dev/null
}

# Lines `index interface` of all declared adapters in $RUN/adapters.
name_interfaces() {
  local at=0 mac interface
  : >"$RUN/adapters"
  while has "adapter.$at.mac"; do
    mac=$(value "adapter.$at.mac" | tr '[:upper:]' '[:lower:]' | sed 's/../&:/g; s/:$//')
    interface=$(interface_of "$mac") || fail ModuleFailed "no interface has the address $mac of the adapter $(value "adapter.$at.name")"
    printf '%s %s %s\n' "$at" "$interface" "$mac" >>"$RUN/adapters"
    at=$((at + 1))
  done
}

# Not bonds and VLANs, which have the address of what is below them.
interface_of() {
  local folder
  # Names of interfaces hold no spaces.
  # shellcheck disable=SC2044
  for folder in $(find "$AETHERV_ROOT/sys/class/net/" -mindepth 1 -maxdepth 1 2>/dev/null); do
    [ -f "$folder/address" ] && [ "$(cat "$folder/address")" = "$1" ] || continue
    [ ! -e "$folder/bonding" ] && [ ! -e "$AETHERV_ROOT/proc/net/vlan/${folder##*/}" ] || continue
    echo "${folder##*/}"
    return 0
  done
  return 1
}

# load INDEX INTERFACE FAMILY (4 or 6): sets METHOD (DHCP, Static, Auto: as the system does, None), ADDRESS/prefix, GATEWAY, DNS, SEARCH.
load() {
  local at="adapter.$1.ipv$3"
  METHOD='' ADDRESS='' GATEWAY='' DNS='' SEARCH=''
  if ! has "$at.method"; then
    load_present "$2" "$3"
    return
  fi
  METHOD=$(value "$at.method")
  if [ "$METHOD" = Static ]; then ADDRESS="$(value "$at.address")/$(value "$at.prefixLength")"; fi
  if has "$at.gateway"; then GATEWAY=$(value "$at.gateway"); fi
  DNS=$(list "$at.dns") SEARCH=$(list "$at.search")
}

# A family that is not declared goes on as it is.
load_present() {
  local now
  METHOD=Auto
  [ "$2" = 4 ] || return 0
  METHOD=None
  live || return 0
  now=$(ip -o -4 addr show dev "$1" scope global | head -n 1)
  case $now in
    '') ;;
    *' dynamic '*) METHOD=DHCP ;;
    *)
      METHOD=Static
      ADDRESS=$(printf '%s\n' "$now" | awk '{ print $4 }')
      GATEWAY=$(ip -4 route show default dev "$1" | awk '$2 == "via" { print $3; exit }')
      ;;
  esac
}

list() {
  local at=0
  while has "$1.$at"; do
    printf '%s%s' "$([ "$at" = 0 ] || echo ' ')" "$(value "$1.$at")"
    at=$((at + 1))
  done
}

# each FUNCTION ARGUMENTS: for every adapter with INDEX INTERFACE MAC first; ends at the first failure.
each() {
  local at interface mac what=$1
  shift
  while read -r at interface mac; do
    "$what" "$at" "$interface" "$mac" "$@" || return 1
  done <"$RUN/adapters"
}

# Waits half a minute for the declared addresses; then foreign addresses and default routes of static families go.
is_up() {
  local tries=0
  live || return 0
  until each has_addresses; do
    tries=$((tries + 1))
    [ "$tries" -lt 30 ] || return 1
    sleep 1
  done
  each drop_foreign
}

is_settled() { ! live || { each has_addresses && each only_declared; }; }

has_addresses() {
  local family
  for family in 4 6; do
    has "adapter.$1.ipv$family.method" || continue
    load "$1" "$2" "$family"
    case $METHOD$family in
      Static*) present "$2" "$family" "$ADDRESS" || return 1 ;;
      DHCP4) ip -o -4 addr show dev "$2" scope global | grep -q . || return 1 ;;
    esac
  done
}

# By the kernel's own comparison: an IPv6 address has many spellings.
present() { ip -o -"$2" addr show dev "$1" to "${3%/*}" | awk -v prefix="/${3#*/}" 'index($4 " ", prefix " ") { found = 1 } END { exit !found }'; }

# Lines of what does not belong to a static family: addresses and default routes, but for what routers announce.
foreign() {
  ip -o -"$2" addr show dev "$1" scope global | awk '!/ dynamic | mngtmpaddr | temporary /{ print "addr", $4 }' | while read -r what address; do
    [ "$(ip -o -"$2" addr show dev "$1" to "${ADDRESS%/*}" | awk '{ print $4 }')" = "$address" ] || echo "$what $address"
  done
  ip -"$2" route show default dev "$1" | awk -v gateway="$GATEWAY" '!/ proto ra /{ for (i = 1; i < NF; i++) if ($i == "via" && $(i + 1) != gateway) print "route", $(i + 1) }'
}

only_declared() {
  local family
  for family in 4 6; do
    load "$1" "$2" "$family"
    if [ "$METHOD" = Static ] && [ -n "$(foreign "$2" "$family")" ]; then return 1; fi
  done
}

drop_foreign() {
  local family what text
  for family in 4 6; do
    load "$1" "$2" "$family"
    [ "$METHOD" = Static ] || continue
    foreign "$2" "$family" >"$RUN/foreign-addresses"
    while read -r what text; do
      case $what in
        addr) ip -"$family" addr del "$text" dev "$2" ;;
        route) ip -"$family" route del default via "$text" dev "$2" ;;
      esac
    done <"$RUN/foreign-addresses"
  done
}

gateways_answer() { ! live || each gateway_answers; }

gateway_answers() {
  local family
  for family in 4 6; do
    has "adapter.$1.ipv$family.gateway" || continue
    answers "$2" "$family" "$(value "adapter.$1.ipv$family.gateway")" || return 1
  done
}

# By the neighbour table: a gateway that drops pings still says where it is.
answers() {
  local tries=0
  ip neigh del "$3" dev "$1" 2>/dev/null
  while [ "$tries" -lt 10 ]; do
    ping -"$2" -c 1 -W 1 "$3" >/dev/null 2>&1 && return 0
    there ping || ip neigh replace "$3" dev "$1" use 2>/dev/null
    if ip neigh show "$3" dev "$1" | grep -q lladdr; then return 0; fi
    tries=$((tries + 1))
    sleep 1
  done
  return 1
}
