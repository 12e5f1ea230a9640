#!/usr/bin/env bash
# A throw-away PostgreSQL on the loopback interface, for the ledger's tests.
#   .ci/postgres.sh start   installs it if need be, starts it, prints its URL
#   .ci/postgres.sh pause   stops it and keeps its files, as a server that is away
#   .ci/postgres.sh resume  starts it again
#   .ci/postgres.sh stop    stops it and removes its files
set -euo pipefail

folder="${FREQAI_SIGNALS_POSTGRES_DIR:-/tmp/freqai-signals-postgres}"
port="${FREQAI_SIGNALS_POSTGRES_PORT:-54329}"

find_bin() {
    local found
    found="$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)"
    [ -x "$found/initdb" ] && { echo "$found"; return; }
    found="$(command -v initdb || true)"
    [ -n "$found" ] && dirname "$(readlink -f "$found")"
}

# The server refuses to run as root.
as_owner() {
    if [ "$(id -u)" -eq 0 ]; then
        su -s /bin/bash "${OWNER:-postgres}" -c "$*"
    else
        bash -c "$*"
    fi
}

serve() {
    as_owner "$1/pg_ctl -D $folder/data -w -t 60 -l $folder/log \
        -o '-h 127.0.0.1 -p $port -k $folder' start" >&2
}

case "${1:-}" in
start)
    if [ -z "$(find_bin)" ]; then
        sudo="$([ "$(id -u)" -eq 0 ] || echo sudo)"
        $sudo apt-get update -qq >&2
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >&2
    fi
    bin="$(find_bin)"
    if ! as_owner "$bin/pg_ctl -D $folder/data status" >/dev/null 2>&1; then
        rm -rf "$folder"
        mkdir -p "$folder"
        [ "$(id -u)" -ne 0 ] || chown "${OWNER:-postgres}" "$folder"
        as_owner "$bin/initdb -D $folder/data -U ledger --auth=trust -E UTF8" >&2
        serve "$bin"
        as_owner "$bin/createdb -h 127.0.0.1 -p $port -U ledger ledger" >&2
    fi
    echo "postgresql+psycopg://ledger@127.0.0.1:$port/ledger"
    ;;
pause)
    as_owner "$(find_bin)/pg_ctl -D $folder/data -w -m fast stop" >&2
    ;;
resume)
    serve "$(find_bin)"
    ;;
stop)
    bin="$(find_bin)"
    as_owner "$bin/pg_ctl -D $folder/data -m immediate stop" >&2 || true
    rm -rf "$folder"
    ;;
*)
    echo "usage: $0 start|pause|resume|stop" >&2
    exit 2
    ;;
esac
