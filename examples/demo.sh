#!/usr/bin/env bash
# Walks through examples/shop on a simulated cluster, and leaves it up:
#
#	examples/demo.sh DATA-FOLDER
#
# Needs bin/flotilla and bin/devcluster; `make demo` builds both.
set -euo pipefail

data=${1:?usage: demo.sh DATA-FOLDER}
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$data"
data=$(cd "$data" && pwd)
PATH=$root/bin:$PATH

bold='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; fi

say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# show WANTED-EXIT-CODE COMMAND...: runs it as a person would type it.
show() {
	local wanted=$1 code=0
	shift
	printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"
	local started=${EPOCHREALTIME/[.,]/}
	"$@" </dev/null || code=$?
	local took=$((${EPOCHREALTIME/[.,]/} - started))
	if [ "$code" -ne "$wanted" ]; then
		printf '\nthe demo expected exit code %s, got %s\n' "$wanted" "$code" >&2
		exit 1
	fi
	printf '(%d.%02d s, exit code %d)\n' $((took / 1000000)) $((took / 10000 % 100)) "$code"
}

say '1. A control plane with simulated nodes: real API server, no containers.'
show 0 devcluster up --dir "$data"
KUBECONFIG=$(devcluster kubeconfig --dir "$data")
export KUBECONFIG
cd "$root/examples/shop"

say '2. Twelve releases in four namespaces, in the order of what they need, each waited for.'
show 0 flotilla -e dev apply --skip-diff-on-install

say '3. Nothing has changed since, and to know that takes a moment.'
show 0 flotilla -e dev diff --detailed-exitcode

say '4. A new build of the shop: the diff first,'
show 2 flotilla -e dev diff --detailed-exitcode --context 2 --state-values-set image.tag=2.9.0
say '   then for real.'
show 0 flotilla -e dev apply --suppress-diff --state-values-set image.tag=2.9.0

say '5. The next build crashes in the worker, in the middle of the graph: everything is put back.'
show 6 flotilla -e dev apply --suppress-diff --state-values-set image.tag=3.0.0,break=worker

say '6. As if nothing had been: the cluster still runs 2.9.0.'
show 0 flotilla -e dev diff --detailed-exitcode --state-values-set image.tag=2.9.0

cat <<TEXT

${bold}The cluster stays up. Next you may type:${plain}

  export KUBECONFIG=$KUBECONFIG PATH=$root/bin:\$PATH
  cd $root/examples/shop
  flotilla -e dev list
  flotilla -e dev diff --context 2 --state-values-set logLevel=warn
  flotilla -e dev destroy
  make -C $root demo-down
TEXT
