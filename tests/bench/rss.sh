#!/bin/bash
# KiB that the daemon has resident, without the packet memory: two ports, no route but its own.
. "$(dirname "$0")/lib.sh"
bench_topology_up || exit
printf 'version: 1\ninterfaces: {in0: {}, out0: {}}\n' > "$T/router.yaml"
bench_router_up || exit
sleep 1
bench_ctl -j show memory | python3 -c '
import json, sys
m = json.load(sys.stdin)
print(m["rss_kib"] - m["frames"] * m["frame_size"] // 1024)'
bench_router_down
