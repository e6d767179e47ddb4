#!/bin/sh
# Runs a program for one owner, and ends it when the owner says so or has gone.
#
# usage:   guardian.sh DIRECTORY MEMORY ORPHAN PROGRAM [ARGUMENT]...
# stdin:   a pipe whose other end only the owner holds.  A line is the request to end: how long the program
#          may take.  End-of-file: the owner has gone, and the program may take ORPHAN.
#          Both in tenths of a second: SIGTERM at first, again (hurry) one second before SIGKILL.
# returns the program's exit code.  The DIRECTORY ("" for none) is removed with the program, but not when
# the program ends by itself: the owner wants to read the log.
#          The folder MEMORY ("" for none) always is: nothing in it is of use without the program.

directory=$1
memory=$2
orphan=$3
shift 3
exec 3<&0

"$@" </dev/null 3<&- &
program=$!

# After the start, because the program would inherit what is ignored.
trap '' INT HUP TERM

(
    read -r tenths <&3 || tenths=$orphan
    [ -z "$directory" ] || echo >"$directory/ending"
    [ "$tenths" -eq 0 ] || kill -TERM "$program"
    while [ "$tenths" -gt 0 ]; do
        sleep 0.1
        tenths=$((tenths - 1))
        [ "$tenths" -ne 10 ] || kill -TERM "$program"
    done
    kill -KILL "$program"
) >/dev/null 2>&1 &
watcher=$!
exec 3<&-

wait "$program"
code=$?
# At once: the number of an ended program may soon be another's.
kill -KILL "$watcher"
if [ -n "$directory" ] && [ -e "$directory/ending" ]; then
    rm -rf -- "$directory"
fi
[ -z "$memory" ] || rm -rf -- "$memory"
exit "$code"
