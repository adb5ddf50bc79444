#!/bin/bash
# The baseline of the veth rows: Linux's own forwarding on one core, 64-byte frames of 65,536 flows
# (tests/bench/lib.sh says where each stage runs), taken in by GRO and by an XDP program that
# passes; the better one counts. veth_linux.sh [-j] [SECONDS]
. "$(dirname "$0")/lib.sh"

json=
[ "${1:-}" = -j ] && json=1 && shift
seconds=${1:-5}
bench_topology_up || exit

best=0 rows=
for how in gro xdp; do
	pps=$(bench_linux_forward $how "$seconds") || exit
	latency=$(sed 's/.*"latency_ns"://; s/}}/}/' "$T/sink")
	rows="$rows${rows:+,}{\"row\":\"linux-$how\",\"pps\":$pps,\"offered\":$(bench_value pps "$T/gen"),"
	rows="$rows\"cpu_percent\":$(cat "$T/share"),\"reordered\":$(bench_value reordered "$T/sink"),\"latency_ns\":$latency}"
	[ -n "$json" ] || awk -v how=$how -v pps="$pps" -v offered="$(bench_value pps "$T/gen")" \
		-v share="$(cat "$T/share")" 'BEGIN { printf "Linux, %s: %.3f Mpps forwarded of %.3f offered, " \
		"on %d %% of the core\n", how, pps / 1e6, offered / 1e6, share }'
	[ "$pps" -le "$best" ] || best=$pps
done
if [ -n "$json" ]; then
	echo "{\"best\":$best,\"rows\":[$rows]}"
else
	echo "Linux, better of both: $best packets per second"
fi
