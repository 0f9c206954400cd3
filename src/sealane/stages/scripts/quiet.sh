# quiet.sh OUT ERR COMMAND…: runs the command with what it prints in two files, so that no log shows it.
out=$1 err=$2
shift 2
exec "$@" >"$out" 2>"$err"
