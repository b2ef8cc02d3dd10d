#!/bin/sh
# One compare-and-set on the running cluster, shown command by command (`make up` ends with it).
set -eu
cd "$(dirname "$0")/.."
run() {
    echo "\$ kvraft $*"
    .venv/bin/kvraft "$@"
}
run put seat/14C free
run cas seat/14C alice --expect-value free
echo '$ kvraft cas seat/14C bob --expect-value free      # too late: exit status 2'
status=0
.venv/bin/kvraft cas seat/14C bob --expect-value free || status=$?
[ "$status" -eq 2 ] || { echo "kvraft: expected exit status 2, got $status" >&2; exit 1; }
run get seat/14C
