# shellcheck shell=dash
# /etc/network/interfaces of Debian's ifupdown and Alpine's (busybox, ifupdown-ng): stanzas of declared adapters are replaced, others stay.

network_write_ifupdown() {
  local names file
  names=$(awk '{ print $2 }' "$RUN/adapters" | tr '\n' ' ')
  find "$1/interfaces" "$1/interfaces.d" -type f 2>/dev/null >"$RUN/files"
  while IFS= read -r file; do
    without_stanzas "$names" <"$file" >"$RUN/stanzas" && cat "$RUN/stanzas" >"$file"
  done <"$RUN/files"
  each ifupdown_adapter >>"$1/interfaces"
  resolv_conf
}

# Stanzas of these interfaces, and our mark, are left out.
without_stanzas() {
  awk -v names="$1" '
    BEGIN { n = split(names, list, " "); for (i = 1; i <= n; i++) ours[list[i]] = 1 }
    /^# aetherv: / { next }
    $1 == "auto" || $1 ~ /^allow-/ {
      inside = 0; line = $1
      for (i = 2; i <= NF; i++) if (!($i in ours)) line = line " " $i
      if (line != $1) print line
      next }
    $1 == "iface" { inside = ($2 in ours) }
    $1 == "mapping" || $1 ~ /^source/ || $1 == "no-auto-down" || $1 == "no-scripts" || $1 == "template" { inside = 0 }
    !inside { print }'
}

ifupdown_adapter() {
  local family inet
  printf '# aetherv: %s\nauto %s\n' "$3" "$2"
  for family in 4 6; do
    load "$1" "$2" "$family"
    inet=inet
    [ "$family" = 4 ] || inet=inet6
    case $METHOD in
      Static)
        printf 'iface %s %s static\n    address %s\n' "$2" "$inet" "$ADDRESS"
        if [ -n "$GATEWAY" ]; then printf '    gateway %s\n' "$GATEWAY"; fi
        ;;
      DHCP) printf 'iface %s %s dhcp\n' "$2" "$inet" ;;
      # The kernel does what routers announce; the interface has to be up for it.
      *) [ "$family" = 6 ] || printf 'iface %s inet manual\n' "$2" ;;
    esac
    if [ -n "$DNS" ] && [ "$METHOD" != Auto ]; then printf '    dns-nameservers %s\n' "$DNS"; fi
    if [ -n "$SEARCH" ] && [ "$METHOD" != Auto ]; then printf '    dns-search %s\n' "$SEARCH"; fi
  done
}

# Without resolvconf nobody reads dns-nameservers: then the file itself.
resolv_conf() {
  local dns search
  if there resolvconf || [ -L "$AETHERV_ROOT/etc/resolv.conf" ]; then return 0; fi
  dns=$(each all_words dns) search=$(each all_words search)
  [ -n "$dns$search" ] || return 0
  {
    if [ -n "$search" ]; then printf 'search%s\n' "$search"; fi
    for dns in $dns; do printf 'nameserver %s\n' "$dns"; done
  } >"$NEXT/resolv.conf"
}

all_words() {
  local family words
  for family in 4 6; do
    words=$(list "adapter.$1.ipv$family.$4")
    if [ -n "$words" ]; then printf ' %s' "$words"; fi
  done
}

# By the old files, before they change.
ifupdown_down() { ! live || each if_down >/dev/null 2>&1 </dev/null; }

force() { case $(readlink -f "$(command -v ifup)") in */busybox) echo -f ;; *) echo --force ;; esac; }

if_down() {
  ifdown "$(force)" "$2"
  ip addr flush dev "$2" scope global
  ip route flush dev "$2" default 2>/dev/null
  return 0
}

network_apply_ifupdown() { each if_up; }

if_up() { ip link set "$2" up; ifup "$(force)" "$2" || true; }
