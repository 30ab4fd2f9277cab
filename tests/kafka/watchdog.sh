# Runs a program, writes its process id on standard output, and kills it as soon as standard input ends: at the latest
# when the process that holds the other end is gone, however it went. The first argument is where the program's output goes.
log=$1
shift
exec 3<&0 </dev/null
# Ctrl-C is for the test: its end is what ends the program. (SIGTERM is not ignored, for then the program would be deaf to it.)
trap '' INT HUP
"$@" 3<&- >"$log" 2>&1 &
ward=$!
echo "$ward"
(
  read -r _ <&3
  kill -9 "$ward"
) >/dev/null 2>&1 &
dog=$!
wait "$ward"
ended=$?
kill -9 "$dog"
exit "$ended"
