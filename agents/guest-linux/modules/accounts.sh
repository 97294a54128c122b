# shellcheck shell=dash
# The local administrator: account, group, password, authorized keys. The helpers serve the automation user, too.

module_accounts() {
  local name group
  name=$(value admin.name)
  group=$(admin_group) || fail NotSupported 'there is neither a group sudo nor a group wheel'
  make_user "$name"
  join_group "$name" "$group"
  set_password "$name"
  has admin.sshKey.0 || return 0
  admin_keys >"$RUN/keys"
  write_keys "$name" "$RUN/keys"
}

passwd_field() { awk -F : -v name="$1" -v at="$2" '$1 == name { print $at; found = 1 } END { exit !found }' "$AETHERV_ROOT/etc/passwd"; }

admin_group() {
  local group
  for group in sudo wheel; do
    has_group "$group" || continue
    echo "$group"
    return 0
  done
  return 1
}

make_user() {
  local name shell=/bin/sh
  if passwd_field "$1" 3 >/dev/null; then return 0; fi
  [ ! -x "$AETHERV_ROOT/bin/bash" ] || shell=/bin/bash
  # Where a group has the name already (Debian has one "operator"), it is not the user's own: the default group then.
  if there useradd; then
    set -- "$1" -m -s "$shell"
    if has_group "$1"; then set -- "$@" -N; fi
  else
    set -- "$1" -D -s "$shell"
    if has_group "$1"; then set -- "$@" -G users; fi
  fi
  name=$1
  shift
  if there useradd; then useradd "$@" "$name"; else adduser "$@" "$name"; fi >/dev/null 2>&1 ||
    fail ModuleFailed "the account $name could not be made"
}

has_group() { grep -q "^$1:" "$AETHERV_ROOT/etc/group"; }

join_group() {
  if awk -F : -v group="$2" -v name="$1" '$1 == group { n = split($4, member, ","); for (i = 1; i <= n; i++) if (member[i] == name) found = 1 }
    END { exit !found }' "$AETHERV_ROOT/etc/group"; then return 0; fi
  if there usermod; then usermod -a -G "$2" "$1"; else addgroup "$1" "$2"; fi >/dev/null 2>&1 ||
    fail ModuleFailed "$1 could not be added to the group $2"
}

# Password and hash go through pipes only. openssl takes one line of at most 256 bytes.
set_password() {
  local password kept salt
  password=$(value admin.password && echo x)
  password=${password%x}
  case $password in
    '' | *"
"*) fail NotSupported 'a password of Linux is one line and not empty' ;;
  esac
  [ "${#password}" -le 256 ] || fail NotSupported 'a password may have 256 bytes at most'
  kept=$(awk -F : -v name="$1" '$1 == name { print $2 }' "$AETHERV_ROOT/etc/shadow")
  case $kept in
    '$6$rounds='*) ;;
    '$6$'*)
      salt=${kept#'$6$'} salt=${salt%%'$'*}
      if [ "$(printf '%s\n' "$password" | openssl passwd -6 -salt "$salt" -stdin)" = "$kept" ]; then return 0; fi
      ;;
  esac
  printf '%s:%s\n' "$1" "$(printf '%s\n' "$password" | openssl passwd -6 -stdin)" | chpasswd -e >/dev/null 2>&1 ||
    fail ModuleFailed "the password of $1 could not be set"
}

admin_keys() {
  local at=0
  while has "admin.sshKey.$at"; do
    value "admin.sshKey.$at"
    echo
    at=$((at + 1))
  done
}

# write_keys USER FILE: the whole of authorized_keys.
write_keys() {
  local home owner
  home="$AETHERV_ROOT$(passwd_field "$1" 6)"
  owner="$(passwd_field "$1" 3):$(passwd_field "$1" 4)"
  # The folder is the user's: root follows no link in it.
  if [ -L "$home/.ssh" ]; then fail ModuleFailed "the .ssh of $1 is a symbolic link"; fi
  if [ ! -L "$home/.ssh/authorized_keys" ] && cmp -s "$2" "$home/.ssh/authorized_keys"; then return 0; fi
  mkdir -p "$home/.ssh" && chown "$owner" "$home/.ssh" && chmod 700 "$home/.ssh" &&
    rm -f "$home/.ssh/.authorized_keys.new" && cp "$2" "$home/.ssh/.authorized_keys.new" &&
    chown "$owner" "$home/.ssh/.authorized_keys.new" && chmod 600 "$home/.ssh/.authorized_keys.new" &&
    mv -f "$home/.ssh/.authorized_keys.new" "$home/.ssh/authorized_keys" ||
    fail ModuleFailed "the keys of $1 could not be written"
}
