#!/bin/sh
# Make .venv with everything this checkout needs, once; again when the dependencies change.
# usage: scripts/bootstrap.sh EXTRAS   (server,cli: to run a cluster; dev: to test)
set -eu
cd "$(dirname "$0")/.."
extra=$1

fail() {
    echo "kvraft: $1" >&2
    exit 1
}

python=
for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3.14 python3; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || fail "Python 3.11 or newer is needed, and none was found (set PYTHON=...)"

wanted=$(cat pyproject.toml constraints.txt | cksum | tr -d ' ')
for have in "$extra" dev; do  # dev holds all the others
    [ "$(cat ".venv/.kvraft-$have" 2>/dev/null || true)" = "$wanted" ] && exit 0
done

if [ ! -x .venv/bin/python ]; then
    echo "kvraft: making .venv with $($python --version)"
    if ! "$python" -m venv .venv >/dev/null 2>&1; then
        rm -rf .venv  # half a one would be taken for whole the next time
        fail "cannot make .venv with $python (on Debian: apt install python3-venv; or no space?)"
    fi
fi
echo "kvraft: installing the dependencies of [$extra] into .venv (a minute, the first time)"
log=.venv/install.log
# One name a package as it comes; plain sh has no pipefail, so the status goes through a file.
{
    .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off \
        -c constraints.txt -e ".[$extra]" 2>&1 && status=0 || status=$?
    echo "$status" >.venv/install.status
} | tee "$log" | sed -n 's/^Collecting \([A-Za-z0-9._-]*\).*/  \1/p; s/^Installing coll.*/  .../p'
if [ "$(cat .venv/install.status)" -ne 0 ]; then
    reason=$(grep -E '^ *ERROR' "$log" | head -n 1 | sed 's/^ *//')
    fail "pip failed: ${reason:-$(tail -n 1 "$log")} (all of it: $log)"
fi
echo "$wanted" >".venv/.kvraft-$extra"
