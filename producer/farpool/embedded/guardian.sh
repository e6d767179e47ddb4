#!/bin/sh
# Runs a server for one owner, and ends it when the owner has gone.
#
# usage:   guardian.sh DIRECTORY GRACE BINARY CONFIG
# stdin:   a pipe whose other end only the owner holds; end-of-file means that the owner has gone
# stdout:  what the server writes before it has its log file; end-of-file means that the server has gone
# GRACE:   tenths of a second that the server may take to save its data; 0 kills it at once

directory=$1
grace=$2
shift 2

"$@" </dev/null &
server=$!

# After the start, because the server would inherit what is ignored.
trap '' INT HUP TERM
exec >/dev/null 2>&1

read -r line

if [ "$grace" -gt 0 ]; then
    kill -TERM "$server"
fi
while [ "$grace" -gt 0 ] && kill -0 "$server"; do
    sleep 0.1
    grace=$((grace - 1))
done
kill -KILL "$server"
wait "$server"
rm -rf -- "$directory"
exit 0
