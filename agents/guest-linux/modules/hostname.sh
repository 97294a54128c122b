# shellcheck shell=dash
# The machine's name: kernel, /etc/hostname and its line in /etc/hosts.

module_hostname() {
  local name old etc="$AETHERV_ROOT/etc"
  name=$(value hostname)
  old=$(cat "$etc/hostname" 2>/dev/null)
  hosts_line "$name" || fail ModuleFailed '/etc/hosts could not be written'
  if [ "$old" != "$name" ]; then
    printf '%s\n' "$name" | durable "$etc/hostname" && chmod 644 "$etc/hostname" ||
      fail ModuleFailed '/etc/hostname could not be written'
  fi
  live || return 0
  [ "$(uname -n)" = "$name" ] || hostname "$name" || fail ModuleFailed 'the host name could not be set'
}

# The name on the line of 127.0.1.1, in the old one's place; other lines stay.
hosts_line() {
  local hosts="$AETHERV_ROOT/etc/hosts"
  [ -f "$hosts" ] || printf '127.0.0.1\tlocalhost\n::1\tlocalhost\n' >"$hosts"
  awk -v name="$1" '
    $1 == "127.0.1.1" { if (!done) print "127.0.1.1\t" name; done = 1; next }
    { print }
    END { if (!done) print "127.0.1.1\t" name }' "$hosts" >"$RUN/hosts"
  if cmp -s "$RUN/hosts" "$hosts"; then return 0; fi
  # In place: /etc/hosts is a mount of its own in some systems.
  cat "$RUN/hosts" >"$hosts" && chmod 644 "$hosts"
}
