# shellcheck shell=dash
# Scripts: Once (in the guest's life, by name), OnChange (of its text), Always (with each generation, once). Their output is
# dropped: it may hold secrets. What ended well is kept as lines `hash generation` in a file a name.

module_scripts() {
  local at=0
  mkdir -p "$STATE/scripts" || fail ModuleFailed "$STATE/scripts could not be made"
  while has "script.$at.name"; do
    one_script "script.$at"
    at=$((at + 1))
  done
}

one_script() {
  local name kept hash interpreter seconds code started file="$WORK/script"
  name=$(value "$1.name")
  interpreter=$(value "$1.interpreter")
  value "$1.content" >"$file" || fail ModuleFailed "script $name could not be read"
  hash=$(sha256 <"$file")
  kept="$STATE/scripts/$(printf '%s' "$name" | sha256)"
  if ! is_due "$(value "$1.run")" "$kept" "$hash"; then return 0; fi
  case $interpreter in
    sh | bash) there "$interpreter" || fail NotSupported "script $name needs $interpreter, which is not installed" ;;
    powershell)
      interpreter=pwsh
      there pwsh || fail NotSupported "script $name needs PowerShell (pwsh), which is not installed"
      mv -f "$file" "$file.ps1"
      file="$file.ps1"
      ;;
  esac
  seconds=$(value "$1.timeoutSeconds")
  started=$(seconds_up)
  (umask 022 && unset LC_ALL && cd "$AETHERV_ROOT/" && timeout "$seconds" "$interpreter" "$file") >/dev/null 2>&1 </dev/null
  code=$?
  rm -f "$file"
  case $code in
    0) ;;
    124 | 137 | 143)
      [ $(($(seconds_up) - started)) -lt "$seconds" ] || fail Timeout "script $name did not end within $seconds seconds"
      fail ScriptFailed "script $name ended with exit code $code"
      ;;
    *) fail ScriptFailed "script $name ended with exit code $code" ;;
  esac
  printf '%s %s\n' "$hash" "$KVP_GENERATION" | durable "$kept" || fail ModuleFailed "that script $name ended could not be kept"
}

seconds_up() { cut -d . -f 1 /proc/uptime; }

# is_due RUN FILE HASH
is_due() {
  local hash generation
  [ -s "$2" ] || return 0
  read -r hash generation <"$2"
  case $1 in
    Once) return 1 ;;
    OnChange) [ "$hash" != "$3" ] ;;
    *) [ "$generation" != "$KVP_GENERATION" ] ;;
  esac
}
