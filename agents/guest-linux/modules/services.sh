# shellcheck shell=dash
# Services of systemd, OpenRC or init scripts (sysvinit): what starts with the guest, and what runs now.

module_services() {
  local at=0 name kind
  kind=$(service_kind) || fail NotSupported 'there is neither systemd nor OpenRC nor /etc/init.d'
  while has "service.$at.name"; do
    name=$(value "service.$at.name")
    if has "service.$at.startup"; then service_startup "$kind" "$name" "$(value "service.$at.startup")"; fi
    if has "service.$at.state"; then service_state "$kind" "$name" "$(value "service.$at.state")"; fi
    at=$((at + 1))
  done
}

service_kind() {
  if [ -d "$AETHERV_ROOT/run/systemd/system" ]; then
    echo systemd
  elif there rc-service; then
    echo openrc
  elif [ -d "$AETHERV_ROOT/etc/init.d" ]; then
    echo sysv
  else
    return 1
  fi
}

# Exit codes, not their words: `enabled` has many (static, alias, generated).
is_enabled() {
  case $1 in
    systemd) systemctl -q is-enabled "$2" ;;
    openrc) rc-update show default | awk -v name="$2" '$1 == name { found = 1 } END { exit !found }' ;;
    sysv) find "$AETHERV_ROOT/etc/rc2.d" "$AETHERV_ROOT/etc/rc3.d" -name "S[0-9][0-9]$2" 2>/dev/null | grep -q . ;;
  esac >/dev/null 2>&1
}

service_startup() {
  local want=$3
  if is_enabled "$1" "$2"; then
    [ "$want" = Disabled ] || return 0
  else
    [ "$want" = Enabled ] || return 0
  fi
  case $1.$want in
    systemd.Enabled) systemctl -q enable "$2" ;;
    systemd.Disabled) systemctl -q disable "$2" ;;
    openrc.Enabled) rc-update -q add "$2" default ;;
    openrc.Disabled) rc-update -q del "$2" default ;;
    sysv.Enabled) sysv_links "$2" && mkdir -p "$AETHERV_ROOT/etc/rc2.d" && ln -sf "../init.d/$2" "$AETHERV_ROOT/etc/rc2.d/S20$2" ;;
    sysv.Disabled) sysv_links "$2" ;;
  esac >/dev/null 2>&1 || fail ModuleFailed "service $2 could not be made $want"
}

# Without start links; fails where there is no such service.
sysv_links() {
  [ -x "$AETHERV_ROOT/etc/init.d/$1" ] || return 1
  find "$AETHERV_ROOT/etc/rc2.d" "$AETHERV_ROOT/etc/rc3.d" -name "S[0-9][0-9]$1" -exec rm -f {} + 2>/dev/null
  return 0
}

is_running() {
  case $1 in
    systemd) systemctl -q is-active "$2" ;;
    openrc) rc-service -q "$2" status ;;
    sysv) "$AETHERV_ROOT/etc/init.d/$2" status ;;
  esac >/dev/null 2>&1
}

service_state() {
  local verb
  if is_running "$1" "$2"; then
    [ "$3" = Stopped ] || return 0
  else
    [ "$3" = Running ] || return 0
  fi
  if [ "$3" = Running ]; then verb=start; else verb=stop; fi
  case $1 in
    systemd) systemctl -q "$verb" "$2" ;;
    openrc) rc-service -q "$2" "$verb" ;;
    sysv) "$AETHERV_ROOT/etc/init.d/$2" "$verb" ;;
  esac >/dev/null 2>&1 </dev/null || fail ModuleFailed "service $2 did not $verb"
  if is_running "$1" "$2"; then
    [ "$3" = Running ] || fail ModuleFailed "service $2 runs although it was stopped"
  else
    [ "$3" = Stopped ] || fail ModuleFailed "service $2 does not run although it was started"
  fi
}
