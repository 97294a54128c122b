# shellcheck shell=dash
# Applies an opened configuration module by module. Progress: `generation hash` and then the modules that ended well, one a line.

ORDER='network time hostname accounts automation disks domain files services scripts'

# Beginning of the keys that a module is about.
keys_of() {
  case $1 in
    network) echo adapter. ;;
    time) echo timeZone ;;
    accounts) echo admin. ;;
    automation) echo automation. ;;
    disks) echo growFilesystems ;;
    files) echo file. ;;
    services) echo service. ;;
    scripts) echo script. ;;
    *) echo "$1" ;;
  esac
}

# Applies all modules, going on where the same configuration was left. Fails when one fails; that is reported.
apply() {
  local module at="$KVP_GENERATION $KVP_HASH"
  if [ "$(head -n 1 "$STATE/progress" 2>/dev/null)" != "$at" ]; then
    printf '%s\n' "$at" | durable "$STATE/progress" || return 1
  fi
  for module in $ORDER; do
    has_any "$(keys_of "$module")" || continue
    if grep -qx "$module" "$STATE/progress"; then continue; fi
    report Applying "$KVP_GENERATION" "$KVP_HASH" "$module" ''
    run_module "$module" || return 1
    { cat "$STATE/progress" && echo "$module"; } | durable "$STATE/progress" || return 1
  done
  printf '%s\n' "$at" | durable "$STATE/applied" || return 1
  rm -f "$STATE/progress"
  report Applied "$KVP_GENERATION" "$KVP_HASH" '' ''
  log "generation $KVP_GENERATION is applied"
}

# One module in a subshell; in the background, so that a signal is heard at once.
run_module() {
  local code error
  log "generation $KVP_GENERATION: $1"
  rm -f "$RUN/error"
  (
    trap - TERM INT HUP EXIT
    set -u
    "module_$1"
  ) &
  CHILD=$!
  wait "$CHILD"
  code=$?
  CHILD=
  [ "$code" -ne 0 ] || return 0
  error=$(cat "$RUN/error" 2>/dev/null) || error=''
  [ -n "$error" ] || error="ModuleFailed: the module ended with exit code $code"
  log "generation $KVP_GENERATION: $1 failed: $error"
  report Failed "$KVP_GENERATION" "$KVP_HASH" "$1" "$error"
  return 1
}
