#!/bin/bash
# restart.sh [KILLS] [PPS]: the router is killed (kill -9) again and again under PPS packets per second of
# 100,000 flows through NAT, and a service manager (tools/keeper.py) starts the next process at once. Prints
#     LOST DUPLICATES GAP-MS WORST-MS FLOWS KEPT DISTURBED
# packets of all that were sent, the median and the worst of the service gaps (the longest that a packet
# was on its way, measured by its sender's stamp, for each kill), flows before the first kill and after the
# last, and packets that the machine lost elsewhere: the generator's own. Rings of 4,096 hold 40 ms.
. "$(dirname "$0")/lib.sh"
kills=${1:-9} pps=${2:-100000} seconds=3

cat > "$T/router.yaml" << X
version: 1
router:
  workers: {cpus: [$BENCH_FWD_CPU]}
  xdp: {ring-size: 4096}
interfaces: {in0: {}, out0: {}}
conntrack: {max: 200000}
nat: {source: [{name: all, out: out0, action: snat, pool: 198.51.100.1-198.51.100.4}]}
X
flows=(--flows 100000 --src 198.18.0.1-198.18.3.232 --dst 198.19.0.1-198.19.0.100)

router_pid()
{
	bench_ctl -j show status | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p'
}

flow_count()
{
	bench_ctl -j show conntrack stats | python3 -c 'import json, sys
print(json.load(sys.stdin)["live"])'
}

# ready N: the N-th process is.
ready()
{
	local tries=0
	until [ "$(cat "$T/starts" 2> /dev/null | grep -c ready)" -ge "$1" ]; do
		[ $((++tries)) -lt 400 ] && sleep 0.05 || return 1
	done
}

bench_topology_up || exit
mkdir -p "$T/run"
ip netns exec rtr "$bench_top/tests/tools/keeper.py" -l "$T/starts" "$B/router" -c "$T/router.yaml" -R "$T/run" \
	2> "$T/log" &
ready 1 || { cat "$T/log" >&2; exit 1; }
# every flow once, and with some time to spare
bench_run 2 "${flows[@]}" --rate 100000 && bench_run 2 "${flows[@]}" --rate 100000 || exit
before=$(flow_count)
lost=0 duplicates=0 disturbed=0
for ((i = 1; i <= kills; i++)); do
	(sleep 1.5; kill -KILL "$(router_pid)") &
	bench_run $seconds "${flows[@]}" --rate "$pps" || exit
	ready $((i + 1)) || exit
	lost=$((lost + $(bench_value packets "$T/gen") - $(bench_value packets "$T/sink")))
	[ -z "${VERBOSE:-}" ] || { cat "$T/gen" "$T/sink"; bench_ctl -j show interfaces -s | grep -E 'packets'; } >&2
	duplicates=$((duplicates + $(bench_value duplicates "$T/sink")))
	disturbed=$((disturbed + $(bench_value dropped "$T/gen")))
	sed -n 's/.*"max":\([0-9]*\).*/\1/p' "$T/sink" >> "$T/gaps"
done
gaps=$(sort -n "$T/gaps" | awk '{ v[NR] = $1 / 1e6 } END { printf "%.1f %.1f", v[int((NR + 1) / 2)], v[NR] }')
echo "$lost $duplicates $gaps $before $(flow_count) $disturbed"
[ -z "${VERBOSE:-}" ] || { cat "$T/starts" "$T/log" "$T/gen" "$T/sink"; bench_ctl -j show drops; } >&2
