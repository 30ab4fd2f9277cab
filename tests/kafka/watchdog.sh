# Runs a program, writes its process id on standard output, and kills it as soon as standard input ends: at the latest
# when the process that holds the other end is gone, however it went. The first argument is where the program's output goes.
log=$1
shift
exec 3<&0 </dev/null
# What ends the test may reach everybody of its group. Nobody here goes before the program does. (SIGTERM is caught and
# not ignored, for then the program would be deaf to it.)
trap '' INT HUP
trap : TERM
"$@" 3<&- >"$log" 2>&1 &
ward=$!
echo "$ward"
(
  trap '' TERM
  read -r _ <&3
  kill -9 "$ward"
) >/dev/null 2>&1 &
dog=$!
wait "$ward"
ended=$?
# A signal ends the wait before the program has ended.
while kill -0 "$ward" 2>/dev/null; do
  wait "$ward"
  ended=$?
done
kill -9 "$dog"
exit "$ended"
