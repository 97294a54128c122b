# shellcheck shell=dash
# The guest's key, JWE and JWS with openssl 1.1.1 or 3. No key is ever in an argument list or, but for the guest's own, in a file.

SPKI_PREFIX=308201a2300d06092a864886f70d01010105000382018f003082018a0282018100

# A new RSA key of 3072 bits.
make_key() {
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -pkeyopt rsa_keygen_pubexp:65537 2>/dev/null | durable "$1"
  [ -s "$1" ]
}

public_der() { openssl pkey -in "$1" -pubout -outform DER 2>/dev/null; }

# Fingerprint of a SubjectPublicKeyInfo in base64; fails unless it is RSA 3072 with exponent 65537.
spki_fingerprint() {
  local digits
  [ "${#1}" -eq 564 ] || return 1
  digits=$({ printf '%s' "$1" | fold -w 64 && echo; } | openssl base64 -d | hex)
  [ "${#digits}" -eq 844 ] || return 1
  case $digits in
    "$SPKI_PREFIX"[89a-f]*0203010001) unhex "$digits" | sha256 ;;
    *) return 1 ;;
  esac
}

# signs SPKI TEXT SIGNATURE: whether the signature (base64url) of RS256 is the key's.
signs() {
  {
    echo '-----BEGIN PUBLIC KEY-----'
    printf '%s' "$1" | fold -w 64
    printf '\n-----END PUBLIC KEY-----\n'
  } >"$WORK/signer.pem"
  from_b64url "$3" >"$WORK/signature" || return 1
  printf '%s' "$2" | openssl dgst -sha256 -verify "$WORK/signer.pem" -signature "$WORK/signature" >/dev/null 2>&1
}

# The content key (hexadecimal) that is wrapped in a file with RSA-OAEP-256.
unwrap_key() {
  openssl pkeyutl -decrypt -inkey "$STATE/key.pem" -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 \
    -pkeyopt rsa_mgf1_md:sha256 -in "$1" 2>/dev/null | hex
}

# hmac_sha512 KEY (32 bytes in hexadecimal): of stdin, in hexadecimal. `dgst -macopt` would show the key to all.
hmac_sha512() {
  local digits="$1" byte inner='' outer='' count=0
  while [ "$count" -lt 128 ]; do
    byte=0
    if [ -n "$digits" ]; then
      byte=$((0x${digits%"${digits#??}"}))
      digits=${digits#??}
    fi
    inner="$inner$(printf '%02x' $((byte ^ 0x36)))"
    outer="$outer$(printf '%02x' $((byte ^ 0x5c)))"
    count=$((count + 1))
  done
  inner=$({ unhex "$inner" && cat; } | openssl dgst -sha512 -binary | hex)
  { unhex "$outer" && unhex "$inner"; } | openssl dgst -sha512 -binary | hex
}

# Whether two texts of hexadecimal digits are equal; how long it takes tells nothing of where they differ.
same() {
  local nonce
  nonce=$(openssl rand -hex 32)
  [ "$(unhex "$nonce$1" | sha256)" = "$(unhex "$nonce$2" | sha256)" ]
}

# der TAG BYTES: the head of an element.
der() {
  if [ "$2" -lt 128 ]; then
    printf '%s%02x' "$1" "$2"
  elif [ "$2" -lt 65536 ]; then
    printf '%s82%04x' "$1" "$2"
  else
    printf '%s83%06x' "$1" "$2"
  fi
}

# Bytes of a text of hexadecimal digits.
bytes() { echo $((${#1} / 2)); }

# OAEP with SHA-256 twice (RFC 4055), and the identifiers of CMS (RFC 5652).
OAEP=303c06092a864886f70d010107302fa00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500
ENVELOPED=06092a864886f70d010703
DATA=06092a864886f70d010701
AES_256_CBC=060960864801650304012a

# aes_open KEY IV FILE: what a file holds, decrypted. `openssl enc -K` would show the key in its arguments: so the key is
# wrapped once more for the guest's own key, and openssl opens the whole as a CMS message.
aes_open() {
  local wrapped recipient content length body
  openssl pkey -in "$STATE/key.pem" -pubout -out "$WORK/own.pem" 2>/dev/null || return 1
  wrapped=$(unhex "$1" | openssl pkeyutl -encrypt -pubin -inkey "$WORK/own.pem" -pkeyopt rsa_padding_mode:oaep \
    -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 | hex)
  length=$(wc -c <"$3")
  # The recipient's key identifier is not looked at: the key is given.
  recipient="0201028001aa${OAEP}$(der 04 "$(bytes "$wrapped")")$wrapped"
  recipient="$(der 30 "$(bytes "$recipient")")$recipient"
  recipient="020102$(der 31 "$(bytes "$recipient")")$recipient"
  content="${DATA}301d${AES_256_CBC}0410$2$(der 80 "$length")"
  content="$(der 30 $(($(bytes "$content") + length)))$content"
  body="$recipient$content"
  body="$(der 30 $(($(bytes "$body") + length)))$body"
  body="$ENVELOPED$(der a0 $(($(bytes "$body") + length)))$body"
  body="$(der 30 $(($(bytes "$body") + length)))$body"
  { unhex "$body" && cat "$3"; } | openssl cms -decrypt -binary -inform DER -inkey "$STATE/key.pem" 2>/dev/null
}

# The 32 bytes that A256CBC-HS512 (RFC 7518, 5.2.5) calls tag: tag_of KEY HEADER IV FILE, all but the file in hexadecimal or text.
tag_of() {
  { printf '%s' "$2" && unhex "$3" && cat "$4" && unhex "$(printf '%016x' $((${#2} * 8)))"; } | hmac_sha512 "$1" | cut -c 1-64
}
