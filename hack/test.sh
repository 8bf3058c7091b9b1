#!/usr/bin/env bash
# Runs every part of the tests, whatever becomes of the others, and ends with one line that counts them all.
# Called by make test.
set -uo pipefail
cd "$(dirname "$0")/.."

rm -rf bin/test
times=""
timed() { # timed NAME COMMAND...
  local name=$1 start=$SECONDS
  shift
  echo "==> $name"
  "$@"
  local status=$?
  times+=$(printf '  %-14s %4ds' "$name" $((SECONDS - start)))$'\n'
  return $status
}

# First what the tests use: the unit tests of the reloader run against a real Prometheus if it has been built.
timed tools "$MAKE" localcluster || true
timed "build cluster" bin/localcluster build || true
for part in "$@"; do
  timed "$part" "$MAKE" "test-$part" || true
done
# A developer goes on with the cluster; CI wants nothing after the summary.
if [[ -n ${CI:-} ]]; then
  timed down "$MAKE" down || true
fi

printf '\nTook, with all that had to be built:\n%s\n' "$times"
exec bin/testsummary report bin/test "$@"
