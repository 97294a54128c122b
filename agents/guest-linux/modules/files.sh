# shellcheck shell=dash
# Files with mode and content; folders on the way are made (0755). The owner of an existing file stays.

module_files() {
  local at=0
  while has "file.$at.path"; do
    put_file "$AETHERV_ROOT$(value "file.$at.path")" "$(value "file.$at.mode")" "file.$at.content"
    at=$((at + 1))
  done
}

put_file() {
  local folder=${1%/*} new
  [ ! -d "$1" ] || fail ModuleFailed "${1#"$AETHERV_ROOT"} is a folder"
  (umask 022 && mkdir -p "$folder/") || fail ModuleFailed "the folder of ${1#"$AETHERV_ROOT"} could not be made"
  new="$folder/.aetherv-new"
  rm -f "$new"
  value "$3" >"$new" || fail ModuleFailed "${1#"$AETHERV_ROOT"} could not be written"
  if [ -f "$1" ]; then chown "$(stat -c %u:%g "$1")" "$new"; fi
  chmod "$2" "$new"
  if [ ! -L "$1" ] && cmp -s "$new" "$1" && [ "$(stat -c %a "$1")" = "$(stat -c %a "$new")" ]; then
    rm -f "$new"
    return 0
  fi
  sync "$new" 2>/dev/null || sync
  mv -f "$new" "$1" || fail ModuleFailed "${1#"$AETHERV_ROOT"} could not be put in place"
}
