# shellcheck shell=dash
# systemd-networkd: one file an adapter; the first that matches counts, so ours begins with 05.

network_write_networkd() { each networkd_file "$1"; }

networkd_file() {
  local family dns='' search='' dhcp='' ra='' gateways='' addresses='' file
  for family in 4 6; do
    load "$1" "$2" "$family"
    if [ "$METHOD" = DHCP ]; then dhcp="$dhcp$family"; fi
    if [ "$METHOD$family" = Static6 ]; then ra=no; fi
    addresses="$addresses${addresses:+${ADDRESS:+ }}$ADDRESS" gateways="$gateways${gateways:+${GATEWAY:+ }}$GATEWAY"
    dns="$dns${dns:+${DNS:+ }}$DNS" search="$search${search:+${SEARCH:+ }}$SEARCH"
  done
  case $dhcp in
    46) dhcp=yes ;;
    4) dhcp=ipv4 ;;
    6) dhcp=ipv6 ;;
    *) dhcp=no ;;
  esac
  file="$4/05-aetherv-$(printf '%s' "$3" | tr -d :).network"
  {
    printf '[Match]\nMACAddress=%s\n\n[Network]\nDHCP=%s\n' "$3" "$dhcp"
    if [ -n "$ra" ]; then printf 'IPv6AcceptRA=%s\n' "$ra"; fi
    lines Address "$addresses"
    lines Gateway "$gateways"
    lines DNS "$dns"
    if [ -n "$search" ]; then printf 'Domains=%s\n' "$search"; fi
    if [ -n "$dns" ]; then printf '\n[DHCPv4]\nUseDNS=no\n\n[DHCPv6]\nUseDNS=no\n'; fi
  } >"$file"
  # networkd reads it as a user of its own.
  chmod 644 "$file"
}

# lines NAME WORDS: one line a word.
lines() {
  local word
  for word in $2; do printf '%s=%s\n' "$1" "$word"; done
}

network_apply_networkd() {
  networkctl reload
  each networkd_again
}

networkd_again() { networkctl reconfigure "$2"; }
