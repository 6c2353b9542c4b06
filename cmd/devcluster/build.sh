#!/bin/sh
# Builds devcluster once for each version of its sources, outside the tree, and
# puts it at the given place:
#
#	sh cmd/devcluster/build.sh bin/devcluster
#
# The binary is kept in ${XDG_CACHE_HOME:-~/.cache}/flotilla/devcluster/HASH.
set -eu

out=${1:?usage: build.sh OUTPUT}
case $out in /*) ;; *) out=$PWD/$out ;; esac
cd "$(dirname "$0")"

kubernetes=$(sed -n 's|^	k8s.io/kubernetes \(v[0-9.]*\)$|\1|p' go.mod)
minor=${kubernetes#v1.}
minor=${minor%%.*}
# Helm and others parse the server's version.
version="-X k8s.io/component-base/version.gitVersion=$kubernetes"
version="$version -X k8s.io/component-base/version.gitMajor=1"
version="$version -X k8s.io/component-base/version.gitMinor=$minor"
version="$version -X k8s.io/component-base/version.gitTreeState=clean"
version="$version -X k8s.io/client-go/pkg/version.gitVersion=$kubernetes"
ldflags="-s -w $version"

if command -v sha256sum >/dev/null 2>&1; then sum=sha256sum; else sum='shasum -a 256'; fi
hash=$({
	find . -type f \( -name '*.go' ! -name '*_test.go' -o -name '*.yaml' -o -name 'go.*' -o -name build.sh \) |
		LC_ALL=C sort | xargs $sum
	go env GOVERSION GOOS GOARCH CGO_ENABLED
} | $sum | cut -c1-16)

cache=${XDG_CACHE_HOME:-$HOME/.cache}/flotilla/devcluster/$hash
if [ ! -x "$cache/devcluster" ]; then
	echo "devcluster: building Kubernetes $kubernetes into $cache (the first time 5 to 10 minutes, later seconds)" >&2
	mkdir -p "$cache"
	go build -buildvcs=false -ldflags "$ldflags" -o "$cache/devcluster.$$" .
	mv "$cache/devcluster.$$" "$cache/devcluster"
fi
mkdir -p "$(dirname "$out")"
rm -f "$out"
ln "$cache/devcluster" "$out" 2>/dev/null || cp "$cache/devcluster" "$out"
echo "devcluster: $out is $cache/devcluster" >&2
