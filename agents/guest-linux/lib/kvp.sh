# shellcheck shell=dash
# Hyper-V's key-value pools as files of hv_kvp_daemon; docs/guest-protocol.md, section 1.

# Items of a pool as lines `key TAB value`; only keys that begin with `aetherv.` or equal the second argument. Fails on a torn file.
kvp_items() {
  cp "$1" "$RUN/pool" 2>/dev/null || return 1
  [ $(($(wc -c <"$RUN/pool") % 2560)) -eq 0 ] || return 1
  # A text ends at its first NUL, stale bytes follow: fields are found by their places, not by separators.
  tr '\n\000' '\001\n' <"$RUN/pool" | awk -v also="${2:-}" '
    { ends = start + length($0)
      while (field <= ends) {
        text = substr($0, field - start + 1, size())
        if (isValue) {
          if ((key ~ /^aetherv\.[A-Za-z0-9.]+$/ || (also != "" && key == also)) && text ~ /^[ -~]*$/) print key "\t" text
        } else key = text
        field += size(); isValue = !isValue
      }
      start = ends + 1 }
    function size() { return isValue ? 2048 : 512 }'
}

# Value of an item in a file of kvp_items.
kvp_value() {
  awk -F '\t' -v key="$2" '$1 == key { value = $2; found = 1 } END { if (!found) exit 1; print value }' "$1"
}

# The id of this virtual machine; fails while the host has not told it.
kvp_vm_id() {
  local id
  kvp_items "$KVP/.kvp_pool_3" VirtualMachineId >"$RUN/parameters" || return 1
  id=$(kvp_value "$RUN/parameters" VirtualMachineId | tr '[:upper:]' '[:lower:]' | tr -d '{}') || return 1
  printf '%s\n' "$id" | grep -Eq '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' && printf '%s\n' "$id"
}

# The complete manifest of the highest generation: sets KVP_GENERATION and KVP_HASH, and writes its joined chunks to $WORK/sealed.
kvp_chosen() {
  local generation chunks characters hash tab
  tab=$(printf '\t')
  grep -E "^aetherv\.config\.[1-9][0-9]{0,9}\.manifest${tab}aetherv1 [1-9][0-9]{0,9} [1-9][0-9]{0,5} [1-9][0-9]{0,8} [0-9a-f]{64}\$" "$1" |
    awk -F '\t' '{ split($2, part, " "); if ($1 == "aetherv.config." part[2] ".manifest") print $2 }' |
    sort -rn -k 2 >"$RUN/manifests"
  while read -r _ generation chunks characters hash; do
    [ "$generation" -le 2147483647 ] || continue
    awk -F '\t' -v prefix="aetherv.config.$generation." -v count="$chunks" '
      index($1, prefix) == 1 { chunk[substr($1, length(prefix) + 1)] = $2 }
      END { for (i = 0; i < count; i++) { if (!(("" i) in chunk)) exit 1; printf "%s", chunk["" i] } }' "$1" >"$WORK/sealed" || continue
    [ "$(wc -c <"$WORK/sealed")" -eq "$characters" ] || continue
    [ "$(sha256 <"$WORK/sealed")" = "$hash" ] || continue
    KVP_GENERATION=$generation KVP_HASH=$hash
    return 0
  done <"$RUN/manifests"
  return 1
}

# Records of other programs in pool 1, as they are.
kvp_foreign() {
  local at
  [ -f "$1" ] || return 0
  cp "$1" "$RUN/foreign" || return 1
  [ $(($(wc -c <"$RUN/foreign") % 2560)) -eq 0 ] || return 1
  tr '\n\000' '\001\n' <"$RUN/foreign" | awk '
    { ends = start + length($0)
      while (record * 2560 <= ends) {
        if (record * 2560 < total() && index(substr($0, record * 2560 - start + 1, 512), "aetherv.") != 1) print record + 0
        record++
      }
      start = ends + 1 }
    function total() { return bytes }' bytes="$(wc -c <"$RUN/foreign")" >"$RUN/records"
  while read -r at; do
    dd if="$RUN/foreign" bs=2560 skip="$at" count=1 2>/dev/null
  done <"$RUN/records"
}

# Writes lines `key TAB value` (stdin, printable ASCII) as our items of pool 1: a file beside the old one, renamed over it.
kvp_write() {
  local pool="$KVP/.kvp_pool_1" tries=0
  cat >"$RUN/told"
  while ! kvp_foreign "$pool" >"$RUN/others"; do
    tries=$((tries + 1))
    [ "$tries" -lt 5 ] || return 1
    sleep 1
  done
  mkdir -p "$KVP"
  {
    cat "$RUN/others"
    awk -F '\t' 'BEGIN { pad = "\001"; while (length(pad) < 2048) pad = pad pad }
      { printf "%s%s%s%s", $1, substr(pad, 1, 512 - length($1)), $2, substr(pad, 1, 2048 - length($2)) }' "$RUN/told" | tr '\001' '\000'
  } >"$pool.aetherv" || return 1
  chmod 644 "$pool.aetherv"
  if cmp -s "$pool.aetherv" "$pool"; then rm -f "$pool.aetherv"; else mv -f "$pool.aetherv" "$pool"; fi
}
