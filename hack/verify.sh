#!/usr/bin/env bash
# Does again all that is generated, tidied and formatted, lints (which vets), and fails if a file changed by it. Every step
# runs, so that one run shows all there is to do. Called by make verify.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
step() { # step NAME COMMAND...
  local name=$1 start=$SECONDS
  shift
  echo "==> $name"
  "$@" || failed+=("$name")
  echo "    $name took $((SECONDS - start))s"
}

tidy() {
  local mod status=0
  for mod in $(git ls-files 'go.mod' '*/go.mod'); do
    go -C "$(dirname "$mod")" mod tidy -diff || { echo "$mod: go -C $(dirname "$mod") mod tidy"; status=1; }
  done
  return $status
}

format() {
  local files
  files=$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 gofmt -l)
  [[ -z $files ]] || { printf 'gofmt -w %s\n' $files; return 1; }
}

clean() {
  local files
  files=$(git status --porcelain)
  [[ -z $files ]] || { printf 'These files are not as they were committed:\n%s\n' "$files"; git diff --stat; return 1; }
}

step generate make generate
step tidy tidy
step format format
step lint make lint
step clean clean

if ((${#failed[@]})); then
  echo "verify: failed: ${failed[*]}" >&2
  exit 1
fi
echo "verify: all as committed"
