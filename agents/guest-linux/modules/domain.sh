# shellcheck shell=dash
# Joins the domain by realmd and sssd. The password goes through a pipe.

module_domain() {
  local name user unit=''
  name=$(value domain.name)
  user=$(value domain.username)
  there realm || fail NotSupported 'realmd is not installed'
  if is_joined "$name"; then return 0; fi
  if has domain.ou; then unit="--computer-ou=$(value domain.ou)"; fi
  { value domain.password && echo; } | realm join --user="$user" ${unit:+"$unit"} "$name" >/dev/null 2>&1 ||
    fail ModuleFailed "realm join $name failed; the guest's journal of realmd says why"
  is_joined "$name" || fail ModuleFailed "the guest is not joined to $name"
}

is_joined() { realm list --name-only 2>/dev/null | tr '[:upper:]' '[:lower:]' | grep -qxF -e "$(printf '%s' "$1" | tr '[:upper:]' '[:lower:]')"; }
