# shellcheck shell=dash
# The time zone: /etc/localtime, and /etc/timezone where there is one.

module_time() {
  local zone etc="$AETHERV_ROOT/etc"
  zone=$(value timeZone)
  [ -f "$AETHERV_ROOT/usr/share/zoneinfo/$zone" ] ||
    fail NotSupported "there is no /usr/share/zoneinfo/$zone; is the package tzdata missing?"
  if [ "$(readlink "$etc/localtime")" != "/usr/share/zoneinfo/$zone" ]; then
    ln -sf "/usr/share/zoneinfo/$zone" "$etc/localtime.new" && mv -f "$etc/localtime.new" "$etc/localtime" ||
      fail ModuleFailed '/etc/localtime could not be written'
  fi
  if [ -f "$etc/timezone" ] && ! holds "$etc/timezone" "$zone"; then
    printf '%s\n' "$zone" | durable "$etc/timezone" && chmod 644 "$etc/timezone" ||
      fail ModuleFailed '/etc/timezone could not be written'
  fi
}
