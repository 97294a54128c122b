# shellcheck shell=dash
# A user for automation (Ansible, for example): no password, a key of its own, sudo (or doas) without a password.

module_automation() {
  local user key keys
  user=$(value automation.user)
  key=$(value automation.publicKey)
  make_user "$user"
  open_locked "$user"
  keys="$AETHERV_ROOT$(passwd_field "$user" 6)/.ssh/authorized_keys"
  { [ ! -f "$keys" ] || [ -L "$keys" ] || cat "$keys"; } >"$RUN/keys"
  if ! grep -qxF -e "$key" "$RUN/keys"; then printf '%s\n' "$key" >>"$RUN/keys"; fi
  write_keys "$user" "$RUN/keys"
  if [ -d "$AETHERV_ROOT/etc/sudoers.d" ]; then
    rule "$AETHERV_ROOT/etc/sudoers.d/90-aetherv-automation" "$user ALL=(ALL:ALL) NOPASSWD: ALL"
  elif there doas; then
    mkdir -p "$AETHERV_ROOT/etc/doas.d"
    rule "$AETHERV_ROOT/etc/doas.d/90-aetherv-automation.conf" "permit nopass $user"
  else
    fail NotSupported 'neither sudo nor doas is installed'
  fi
}

# `!` means locked: an sshd without PAM refuses keys, too. `*` is no password either, but not locked.
open_locked() {
  case $(awk -F : -v name="$1" '$1 == name { print $2 }' "$AETHERV_ROOT/etc/shadow") in
    '!' | '!!' | '!*')
      printf '%s:*\n' "$1" | chpasswd -e >/dev/null 2>&1 || fail ModuleFailed "$1 could not be unlocked"
      ;;
  esac
}

rule() {
  if holds "$1" "$2"; then return 0; fi
  # A name with a dot is not read by sudo: a half-written file does no harm.
  printf '%s\n' "$2" | durable "$1" && chmod 440 "$1" || fail ModuleFailed "$1 could not be written"
}
