#!/usr/bin/env bash
# Runs on Node 24 the gateway with one query, and the tests that need little but the language: `npm run test:node24`.
# Its arguments go to vitest. Node 24 is the npm registry's, of this platform, kept in .cache/node24.
set -euo pipefail
cd "$(dirname "$0")/.."
cache="$PWD/.cache/node24"
platform="$(node -p 'process.platform + "-" + process.arch')"

# Prints the path of a node that runs here and is of version 24.
find_node24() {
  local node
  for node in "$cache"/node_modules/node-*/bin/node; do
    case "$("$node" --version 2>/dev/null)" in v24.*) echo "$node" && return ;; esac
  done
  return 1
}

if ! find_node24 >/dev/null; then
  mkdir -p "$cache"
  # The one package lacks some platforms, the other one too.
  for name in "node-$platform" "node-bin-$platform"; do
    npm install --prefix "$cache" --no-save --ignore-scripts --no-audit --no-fund "$name@24" >&2 && break
  done
fi
node24="$(find_node24)" || { echo "no Node 24 for $platform in the npm registry" >&2; exit 1; }

echo "on Node $("$node24" --version):"
exec "$node24" node_modules/vitest/vitest.mjs run --config test/vitest.config.ts "$@" \
  test/cli/serve-alone test/config test/definitions test/graph test/historical test/ingest/accept test/oracle \
  test/quality test/registry test/stores/files test/stores/memory test/stores/online-value test/windows
