# shellcheck shell=dash
# What the guest keeps (docs/guest-protocol.md, section 2), and what it tells.

# Binds the state to this virtual machine: that of another one (a cloned or captured disk) is wiped and made anew.
bind_state() {
  if holds "$STATE/vm" "$1" && [ -s "$STATE/key.pem" ]; then return 0; fi
  log "new on virtual machine $1: making a key"
  rm -rf "$STATE"
  mkdir -p "$STATE" && chmod 700 "$STATE" || return 1
  make_key "$STATE/key.pem" || return 1
  public_der "$STATE/key.pem" | openssl base64 -A | durable "$STATE/public"
  public_der "$STATE/key.pem" | sha256 | durable "$STATE/fingerprint"
  # The id last: killed before, all is made anew.
  printf '%s\n' "$1" | durable "$STATE/vm"
}

# Before anything is changed in the guest: who signs, and that nothing older counts any more.
accept() {
  printf '%s\n' "$SIGNER" | durable "$STATE/signer" && printf '%s\n' "$KVP_GENERATION" | durable "$STATE/generation"
}

# report STATE GENERATION HASH STEP ERROR; the last one that was no refusal is kept to be told again.
report() {
  local error
  error=$(printf '%s' "$5" | tr -c ' -~' '?' | cut -c 1-1000)
  [ "$4" = open ] || printf '%s\n' "$1" "$2" "$3" "$4" "$error" | durable "$STATE/report"
  tell "$1" "$2" "$3" "$4" "$error"
}

report_last() {
  if [ ! -f "$STATE/report" ]; then
    report Waiting 0 '' '' ''
    return
  fi
  {
    read -r last_state && read -r last_generation && read -r last_hash && read -r last_step && read -r last_error
  } <"$STATE/report"
  tell "$last_state" "$last_generation" "$last_hash" "$last_step" "$last_error"
}

tell() {
  local tab
  tab=$(printf '\t')
  {
    printf 'aetherv.guest.version\t%s\n' "$AETHERV_VERSION"
    fold -w 1000 "$STATE/public" | awk '{ printf "aetherv.guest.publicKey.%d\t%s\n", NR - 1, $0 }'
    printf 'aetherv.guest.state\t%s\naetherv.guest.generation\t%s\naetherv.guest.hash\t%s\n' "$1" "$2" "$3"
    printf 'aetherv.guest.step\t%s\naetherv.guest.error\t%s\n' "$4" "$5"
    printf 'aetherv.guest.facts\t%s\n' "$(facts)"
  } | LC_ALL=C sort >"$RUN/report"
  { cat "$RUN/report" && printf 'aetherv.guest.manifest\taetherv1 %s\n' "$(sed "s/$tab/=/" "$RUN/report" | sha256)"; } | kvp_write
}

# name=base64url(text), joined by spaces; as many as fit into 1000 characters.
facts() {
  {
    fact os "$(sed -n 's/^PRETTY_NAME=//p' "$AETHERV_ROOT/etc/os-release" 2>/dev/null | tr -d '"')"
    fact kernel "$(uname -r)"
    fact network "$(network_kind)"
    fact rootBytes "$(df -Pk "$AETHERV_ROOT/" 2>/dev/null | awk 'NR == 2 { printf "%.0f", $2 * 1024 }')"
    fact growBlocked "$(cat "$STATE/grow-blocked" 2>/dev/null)"
    fact bootId "$(boot_id)"
  } | awk '{ if (length(all) + length($0) < 1000) all = all (all == "" ? "" : " ") $0 } END { printf "%s", all }'
}

fact() { [ -z "$2" ] || printf '%s=%s\n' "$1" "$(printf '%s' "$2" | cut -c 1-200 | tr -d '\n' | b64url)"; }
