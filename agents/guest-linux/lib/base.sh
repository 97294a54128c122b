# shellcheck shell=dash
# Paths, durable files and errors. Every path of the system hangs off AETHERV_ROOT (empty in a real guest).
: "${AETHERV_ROOT:=}"
AETHERV_VERSION=0.1.0
STATE="$AETHERV_ROOT/var/lib/aetherv"
RUN="$AETHERV_ROOT/run/aetherv"
KVP="$AETHERV_ROOT/var/lib/hyperv"
WORK="$RUN/work"

# True in a real guest (or in namespaces of its own): commands may change the kernel's state, not only files below AETHERV_ROOT.
live() { [ -z "$AETHERV_ROOT" ]; }

there() { command -v "$1" >/dev/null 2>&1; }

# Never a value of the configuration: journals are read by many.
log() { printf 'aetherv-guest: %s\n' "$*" >&2; }

# Ends a module: fail CODE TEXT. Runs in the module's own subshell.
fail() {
  printf '%s: %s\n' "$1" "$2" >"$RUN/error"
  exit 1
}

# Text from stdin to a file that is either the old or the new one after a crash.
durable() {
  cat >"$1.new" && { sync "$1.new" 2>/dev/null || sync; } && mv -f "$1.new" "$1"
}

hex() { od -An -v -tx1 | tr -d ' \n'; }

# Bytes of a text of hexadecimal digits; by printf, a builtin: nothing of it is in an argument list.
unhex() {
  local digits="$1" byte octal=''
  while [ -n "$digits" ]; do
    byte=$((0x${digits%"${digits#??}"}))
    digits=${digits#??}
    octal="$octal\\$((byte / 64))$((byte / 8 % 8))$((byte % 8))"
  done
  # shellcheck disable=SC2059
  printf "$octal"
}

sha256() { openssl dgst -sha256 -binary | hex; }

b64url() { openssl base64 -A | tr '/+' '_-' | tr -d '='; }

# The bytes of a text in base64url; in lines, since openssl 1.1.1 gives up on long ones.
from_b64url() {
  local padding=''
  case $((${#1} % 4)) in
    1) return 1 ;;
    2) padding='==' ;;
    3) padding='=' ;;
  esac
  { printf '%s%s' "$1" "$padding" | tr '_-' '/+' | fold -w 64 && echo; } | openssl base64 -d
}

# Whether a file holds this text and nothing else.
holds() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

boot_id() { cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo unknown; }
