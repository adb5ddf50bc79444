#!/bin/bash
# KiB that the daemon has resident, without the packet memory: two ports, no route but its own.
. "$(dirname "$0")/lib.sh"
bench_topology_up || exit
printf 'version: 1\ninterfaces: {in0: {}, out0: {}}\n' > "$T/router.yaml"
ip netns exec rtr "$B/router" -c "$T/router.yaml" -R "$T/run" 2> "$T/router.log" &
pid=$!
tries=0
until "$B/routerctl" -R "$T/run" show status 2> /dev/null | grep -q running; do
	[ $((++tries)) -lt 100 ] && sleep 0.05 || { cat "$T/router.log" >&2; exit 1; }
done
sleep 1
"$B/routerctl" -R "$T/run" -j show memory | python3 -c '
import json, sys
m = json.load(sys.stdin)
print(m["rss_kib"] - m["frames"] * m["frame_size"] // 1024)'
kill $pid && wait $pid
