# shellcheck shell=dash
# NetworkManager: one keyfile an adapter, which goes before other profiles of the device.

network_write_NetworkManager() { each keyfile "$1"; }

keyfile() {
  local family
  {
    printf '[connection]\nid=aetherv-%s\nuuid=00000000-0000-4000-8000-%s\ntype=ethernet\nautoconnect=true\nautoconnect-priority=900\n' \
      "$2" "$(printf '%s' "$3" | tr -d :)"
    printf '\n[ethernet]\nmac-address=%s\n' "$3"
    for family in 4 6; do
      load "$1" "$2" "$family"
      printf '\n[ipv%s]\n' "$family"
      case $METHOD in
        Static) printf 'method=manual\naddress1=%s%s\n' "$ADDRESS" "${GATEWAY:+,$GATEWAY}" ;;
        DHCP) printf 'method=%s\n' "$([ "$family" = 4 ] && echo auto || echo dhcp)" ;;
        Auto) printf 'method=auto\n' ;;
        *) printf 'method=disabled\n' ;;
      esac
      if [ -n "$DNS" ]; then printf 'dns=%s;\nignore-auto-dns=true\n' "$(joined "$DNS" ';')"; fi
      if [ -n "$SEARCH" ]; then printf 'dns-search=%s;\n' "$(joined "$SEARCH" ';')"; fi
    done
  } >"$4/aetherv-$(printf '%s' "$3" | tr -d :).nmconnection"
}

network_apply_NetworkManager() {
  nmcli connection reload
  # Going back, ours is gone: the device takes its former profile.
  each nm_up
}

nm_up() { nmcli connection up "aetherv-$2" || nmcli device connect "$2" || true; }
