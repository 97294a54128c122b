# shellcheck shell=dash
# netplan: one file of ours; files that speak of a declared adapter are set aside (*.aetherv-off), as netplan would join them with it.

network_write_netplan() {
  rm -f "$1/90-aetherv.yaml"
  each netplan_aside "$1"
  {
    printf 'network:\n  version: 2\n  ethernets:\n'
    each netplan_adapter
  } >"$1/90-aetherv.yaml"
}

netplan_aside() {
  local file
  find "$4" -maxdepth 1 -name '*.yaml' | while IFS= read -r file; do
    # Names of interfaces stand in blocks (at a line's beginning) or in braces.
    if grep -v '^ *#' "$file" | grep -Eqi -e "(^|[ {,])[\"']?$2[\"']?:" -e "$3"; then mv -f "$file" "$file.aetherv-off"; fi
  done
}

netplan_adapter() {
  local family addresses='' routes='' dns='' search='' own=''
  # systemd-networkd has one switch for both families, and netplan refuses two values: declared servers take the place of all served ones.
  for family in 4 6; do
    load "$1" "$2" "$family"
    if [ "$METHOD" = DHCP ]; then own="$own$DNS"; fi
  done
  printf '    %s:\n      match: {macaddress: "%s"}\n' "$2" "$3"
  for family in 4 6; do
    load "$1" "$2" "$family"
    if [ "$METHOD" = DHCP ]; then
      printf '      dhcp%s: true\n' "$family"
      if [ -n "$own" ]; then printf '      dhcp%s-overrides: {use-dns: false}\n' "$family"; fi
    elif [ "$METHOD" != Auto ]; then
      printf '      dhcp%s: false\n' "$family"
    fi
    if [ "$METHOD$family" = Static6 ]; then printf '      accept-ra: false\n'; fi
    if [ -n "$ADDRESS" ]; then addresses="$addresses${addresses:+, }\"$ADDRESS\""; fi
    # `to: default` is not known to older ones.
    if [ -n "$GATEWAY" ]; then routes="$routes${routes:+, }{to: \"$([ "$family" = 4 ] && echo 0.0.0.0/0 || echo ::/0)\", via: \"$GATEWAY\"}"; fi
    dns="$dns${dns:+${DNS:+ }}$DNS" search="$search${search:+${SEARCH:+ }}$SEARCH"
  done
  if [ -n "$addresses" ]; then printf '      addresses: [%s]\n' "$addresses"; fi
  if [ -n "$routes" ]; then printf '      routes: [%s]\n' "$routes"; fi
  if [ -n "$dns$search" ]; then
    printf '      nameservers: {addresses: [%s], search: [%s]}\n' "$(quoted "$dns")" "$(quoted "$search")"
  fi
}

quoted() { [ -z "$1" ] || printf '"%s"' "$(printf '%s' "$1" | sed 's/ /", "/g')"; }

network_apply_netplan() { netplan apply; }
