#!/bin/sh
# Builds the real Toxiproxy server at a pinned version as a Go module, into .tools/ (ignored by git).
# `pytest chaos` finds it there; without Go the embedded server of kvraft_chaos is used.
set -eu
version=v2.12.0
tools=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)/.tools
target=$tools/toxiproxy-server

if [ -x "$target" ] && "$target" -version 2>/dev/null | grep -q "${version#v}"; then
    echo "toxiproxy-server $version is already in $tools"
    exit 0
fi
if ! command -v go >/dev/null 2>&1; then
    echo "install_toxiproxy: no Go toolchain found; the embedded server will be used" >&2
    exit 1
fi
mkdir -p "$tools/build"
echo "building toxiproxy-server $version (about a minute) ..."
GOBIN=$tools/build GOFLAGS=-modcacherw go install \
    -ldflags "-X github.com/Shopify/toxiproxy/v2.Version=${version#v}" \
    "github.com/Shopify/toxiproxy/v2/cmd/server@$version"
mv "$tools/build/server" "$target"
rmdir "$tools/build"
"$target" -version
