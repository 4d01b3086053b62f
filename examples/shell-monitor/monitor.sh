#!/bin/sh
# A monitor in a few lines of shell: what the tracepoint sched_process_exec prints, as lines that execlab takes.
# docs/your-monitor.md says what they mean.
set -eu
trace=/sys/kernel/tracing/instances/shell-monitor-$$
event=$trace/events/sched/sched_process_exec/enable

mkdir "$trace"
put_back() {
    exec 3<&-
    rmdir "$trace"
}
trap 'put_back; exit 0' TERM INT
echo mono > "$trace/trace_clock"
exec 3< "$trace/trace_pipe"
echo 1 > "$event"
echo '{"type": "ready", "evidence": ["sched_process_exec is enabled"]}'

last=0
lost=0
while read -r line <&3; do
    case $line in
    *' EVENTS]')
        # CPU:0 [LOST 12 EVENTS]
        count=${line##*LOST }
        lost=$((lost + ${count%% *}))
        ;;
    *': sched_process_exec: filename='*)
        # worker-77 [000] ..... 12.345678: sched_process_exec: filename=/bin/worker pid=77 old_pid=77
        time=${line%%: sched_process_exec:*}
        time=${time##* }
        time=${time%.*}${time#*.}000
        # In the first second after boot; JSON has no such numbers.
        while [ "${time#0}" != "$time" ]; do time=${time#0}; done
        rest=${line#*: sched_process_exec: filename=}
        path=${rest% pid=*}
        pid=${rest##* pid=}
        pid=${pid%% *}
        if [ "$lost" -gt 0 ]; then
            echo "{\"type\": \"loss\", \"source\": \"trace_pipe\", \"unit\": \"exec\", \"count\": $lost, \"window_ns\": [$last, $time]}"
            lost=0
        fi
        last=$time
        sighting="{\"type\": \"sighting\", \"pid\": $pid, \"time_ns\": $time, \"time_tolerance_ns\": 1000"
        case $path in
        # A shell has no simple way to escape these; what is not said is never scored as wrong.
        *[\"\\]*) echo "$sighting}" ;;
        *) echo "$sighting, \"path\": \"$path\"}" ;;
        esac
        ;;
    esac
done
