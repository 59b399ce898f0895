#!/usr/bin/env bash
# How a training step and its memory grow with the catalogue and with the users, on made data.
#   bench/scaling.sh [build folder]
# prints a line for every size. Objective paper: no clustering of all samples; batch 256, two views, noise.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
row() {
  local users=$1 items=$2 file="$data/$1-$2.txt"
  "$build/fenrec" synthetic --users "$users" --items "$items" --intents $((items / 50)) --out "$file" >/dev/null
  "$build/bench/fen_steps" --data "$file" --preset beauty --objective paper --epoch-kind enduring --steps 12 --skip 3 |
    python3 -c "
import json, sys
r = json.load(sys.stdin)
print(f\"{r['users']:>9} {r['items']:>9} {r['ready_seconds']:>9.2f} {r['median_ms']:>9.1f} {r['peak_MB']:>9.0f}\")"
  rm "$file"
}
printf '%9s %9s %9s %9s %9s\n' users items 'ready s' 'step ms' 'peak MiB'
for items in 10000 100000 1000000; do row 100000 "$items"; done
for users in 10000 1000000; do row "$users" 100000; done
row 1000000 1000000
