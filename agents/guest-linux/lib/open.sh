# shellcheck shell=dash
# Opens the sealed configuration; docs/guest-protocol.md, sections 3 to 5, in their order.

# open_sealed ITEMS: sets VERDICT (Nothing, Unchanged, Accepted or a code), KVP_GENERATION, KVP_HASH; Accepted: $WORK/payload, SIGNER and SIGNER_FINGERPRINT.
open_sealed() {
  KVP_GENERATION=0 KVP_HASH='' VERDICT=Nothing
  kvp_chosen "$1" || return 0
  VERDICT=Unchanged
  if holds "$STATE/applied" "$KVP_GENERATION $KVP_HASH"; then return 0; fi
  VERDICT=Replayed
  [ "$KVP_GENERATION" -ge "$(highest_generation)" ] || return 0
  open_signer "$1" && open_envelope && open_signed && open_payload && VERDICT=Accepted
  return 0
}

highest_generation() { cat "$STATE/generation" 2>/dev/null || echo 0; }

open_signer() {
  VERDICT=Malformed
  SIGNER=$(kvp_value "$1" aetherv.signer) || return 1
  SIGNER_FINGERPRINT=$(spki_fingerprint "$SIGNER") || return 1
  [ -s "$STATE/signer" ] || return 0
  VERDICT=SignerChanged
  holds "$STATE/signer" "$SIGNER" || handed_over "$1"
}

handed_over() {
  local pinned header payload at=0 text
  pinned=$(spki_fingerprint "$(cat "$STATE/signer")") || return 1
  header=$(printf '{"alg":"RS256","typ":"aetherv-signer","kid":"%s","key":"%s"}' "$pinned" "$SIGNER_FINGERPRINT" | b64url)
  payload=$(printf '%s' "$SIGNER_FINGERPRINT" | b64url)
  while text=$(kvp_value "$1" "aetherv.signer.handover.$at"); do
    case $text in
      "$header.$payload".*) if signs "$(cat "$STATE/signer")" "$header.$payload" "${text##*.}"; then return 0; fi ;;
    esac
    at=$((at + 1))
  done
  return 1
}

# Whether a text has so many parts, none empty, of base64url.
has_parts() {
  local dots
  case .$1. in
    *..* | *[!A-Za-z0-9_.-]*) return 1 ;;
  esac
  dots=$(printf '%s' "$1" | tr -cd . | wc -c)
  [ "$dots" -eq $(($2 - 1)) ]
}

open_envelope() {
  local text header key iv tag content
  text=$(cat "$WORK/sealed")
  VERDICT=Malformed
  has_parts "$text" 5 || return 1
  header=${text%%.*} text=${text#*.}
  key=${text%%.*} text=${text#*.}
  iv=${text%%.*} text=${text#*.}
  tag=${text#*.} text=${text%%.*}
  VERDICT=HeaderMismatch
  [ "$header" = "$(printf '{"alg":"RSA-OAEP-256","enc":"A256CBC-HS512","typ":"aetherv-guest","kid":"%s","vm":"%s","gen":%s}' \
    "$(cat "$STATE/fingerprint")" "$(cat "$STATE/vm")" "$KVP_GENERATION" | b64url)" ] || return 1
  VERDICT=Tampered
  from_b64url "$key" >"$WORK/wrapped" && from_b64url "$text" >"$WORK/ciphertext" || return 1
  content=$(unwrap_key "$WORK/wrapped")
  [ "${#content}" -eq 128 ] || return 1
  iv=$(from_b64url "$iv" | hex) tag=$(from_b64url "$tag" | hex)
  [ "${#iv}" -eq 32 ] && [ "${#tag}" -eq 64 ] || return 1
  key=$(printf '%s' "$content" | cut -c 1-64)
  same "$tag" "$(tag_of "$key" "$header" "$iv" "$WORK/ciphertext")" || return 1
  VERDICT=Malformed
  aes_open "${content#"$key"}" "$iv" "$WORK/ciphertext" >"$WORK/signed"
}

open_signed() {
  local text signed
  VERDICT=Malformed
  text=$(tr -c 'A-Za-z0-9_.-' '!' <"$WORK/signed")
  has_parts "$text" 3 || return 1
  signed=${text%.*}
  VERDICT=HeaderMismatch
  [ "${text%%.*}" = "$(printf '{"alg":"RS256","typ":"aetherv-guest","kid":"%s","vm":"%s","gen":%s,"key":"%s"}' \
    "$SIGNER_FINGERPRINT" "$(cat "$STATE/vm")" "$KVP_GENERATION" "$(cat "$STATE/fingerprint")" | b64url)" ] || return 1
  VERDICT=BadSignature
  signs "$SIGNER" "$signed" "${text##*.}" || return 1
  VERDICT=Malformed
  from_b64url "${signed#*.}" >"$WORK/payload"
}

open_payload() {
  VERDICT=Malformed
  [ "$(tail -c 1 "$WORK/payload" | hex)" = 0a ] || return 1
  if grep -Evq '^[A-Za-z0-9.]+ [A-Za-z0-9_-]*$' "$WORK/payload"; then return 1; fi
  [ -z "$(cut -d ' ' -f 1 "$WORK/payload" | sort | uniq -d)" ] || return 1
  has format || return 1
  VERDICT=UnknownFormat
  [ "$(value format)" = 1 ] || return 1
  VERDICT=Malformed
  [ "$(value vm)" = "$(cat "$STATE/vm")" ] && [ "$(value generation)" = "$KVP_GENERATION" ]
}

# --- The configuration, for the modules -------------------------------------------------------------------------------------

has() { awk -v key="$1" '$1 == key { found = 1 } END { exit !found }' "$WORK/payload"; }

# Whether a key with this beginning is there.
has_any() { awk -v head="$1" 'index($1, head) == 1 { found = 1 } END { exit !found }' "$WORK/payload"; }

# Decoded value of a key, to stdout; a variable loses line ends at its end: contents go to files.
value() { from_b64url "$(awk -v key="$1" '$1 == key { print $2 }' "$WORK/payload")"; }
