# shellcheck shell=bash
# Shared by the scripts: where we are, how we speak, which Node to use.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

say() { printf '==> %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# True if the given node is new enough to build the page (20.19 or later).
node_is_new_enough() {
    local version
    version=$("$1" --version 2>/dev/null) || return 1
    version=${version#v}
    local major=${version%%.*} rest=${version#*.}
    local minor=${rest%%.*}
    ((major > 20 || (major == 20 && minor >= 19)))
}

# Puts a Node that is new enough first on PATH: the machine's, else the pinned one.
use_node() {
    local pinned
    pinned=$(echo "$root"/deps/node/node_modules/node-linux-*/bin)
    if [ -x "$pinned/node" ] && ! node_is_new_enough node; then
        PATH=$pinned:$PATH
    fi
    node_is_new_enough node || die "no Node.js of version 20.19 or newer; run scripts/setup build"
}

# Brings DIR/node_modules to what DIR/package-lock.json says, once. A download that stalls is given up
# and tried anew: a quiet connection after a minute, the whole after NPM_MINUTES; three times in all.
npm_packages() {
    local dir=$1 why=$2 stamp try
    stamp=$(sha256sum "$dir/package-lock.json" | cut -d' ' -f1)
    [ "$(cat "$dir/node_modules/.stamp" 2>/dev/null)" = "$stamp" ] && return
    say "fetching npm packages for $why (pinned in $dir/package-lock.json)"
    for try in 1 2 3; do
        (cd "$dir" && timeout --kill-after=10 "${NPM_MINUTES:-10}m" npm ci --ignore-scripts --no-audit --no-fund \
            --loglevel=error --fetch-timeout=60000 --fetch-retries=3 >/dev/null) && break
        case $? in
        124 | 137) say "npm took longer than ${NPM_MINUTES:-10} minutes and was stopped (NPM_MINUTES allows more)" ;;
        *) say "npm failed; what it says is above" ;;
        esac
        [ "$try" != 3 ] ||
            die "no npm packages for $why; with a network, type: (cd $dir && npm ci --ignore-scripts)"
        say "trying again: what is downloaded is not fetched twice"
    done
    mkdir -p "$dir/node_modules"
    echo "$stamp" >"$dir/node_modules/.stamp"
}
