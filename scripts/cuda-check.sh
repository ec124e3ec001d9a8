#!/bin/sh
# Checks this project on a CUDA host: builds the native part there, compares its numbers with PyTorch's on the
# GPU, runs the benchmarks, and prints one JSON report on standard output (all else goes to standard error).
#
#   scripts/cuda-check.sh [--quick] [--cpu] [--only STAGE] [--list] [--parity FOLDER]
#   [--table FILE --tree FILE]
#
# Needs Python's torch 2.11 to 2.15 (with numpy), a C++ compiler, and Bun or npm. --cpu is a dry run of
# the same stages on the CPU.
set -eu
cd "$(dirname "$0")/.."

find_bun() {
  for bun in "$(command -v bun || true)" node_modules/.bin/bun "$HOME/.bun/bin/bun"; do
    if [ -n "$bun" ] && "$bun" --version >/dev/null 2>&1; then return 0; fi
  done
  return 1
}

if [ ! -d node_modules/commander ]; then
  if find_bun; then "$bun" install --no-save >&2
  elif command -v npm >/dev/null; then npm ci --no-audit --no-fund >&2
  fi
fi
if ! find_bun; then
  echo "Error: neither Bun nor npm is on the PATH: install Bun, or Node.js 20 or newer (it brings npm), then start again." >&2
  exit 1
fi
exec "$bun" lab/cudaCheck/main.ts "$@"
