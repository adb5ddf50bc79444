#!/bin/bash
# load.sh reload|dump [RATE]: what control does while packets go through the daemon over two veths; prints
#     reload  MS LOST WORST PPS     of `routerctl reload`, a changed file: how long it took, packets lost, the
#                                   longest turn of the worker meanwhile in us, and the packets a second there
#                                   really were; medians of three reloads
#     dump    MIB LOST ROWS PPS     of `routerctl -j show conntrack`: what it took of memory at most
# reload: 10,000 filter rules and 1,000 classes of htb with fq_codel, each found by a filter; the second file
# has other rates for all classes and other ports in a quarter of the rules. 100,000 flows, each of which
# the new rules judge again. dump: 1,000,000 flows (LOAD_FLOWS: fewer).
#
# Where it runs: tests/bench/lib.sh, "veth-fwd": generator and its softirq on CPU 1, the worker and the sink's
# softirq on 0, control where the scheduler likes. Lost is what the generator handed over and pktgen's sink did
# not get, whoever lost it. Rings of 8,192 bridge 27 ms without a core at 300 kpps; a machine that others use
# has longer gaps, and sends less than it was asked to (PPS). The longest turn is by the wall, too: what it
# is in CPU time, on any machine, is bench-c's reload-loop.
. "$(dirname "$0")/lib.sh"
what=$1 rate=${2:-300000} classes=1000
case $what in
reload) rules=10000 flows=${LOAD_FLOWS:-100000} ;;
dump) rules=0 flows=${LOAD_FLOWS:-1000000} ;;
*) exit 2 ;;
esac

# config WHICH: the file, before (0) and after (1) it was changed
config()
{
	awk -v which="$1" -v rules=$rules -v classes=$classes -v flows="$flows" -v cpu="$BENCH_FWD_CPU" 'BEGIN {
		print "version: 1"
		print "router: {workers: {cpus: [" cpu "]}, xdp: {ring-size: 8192}}"
		print "interfaces: {in0: {}, out0: {}}"
		print "conntrack: {max: " flows * 1.2 "}"
		if (!rules)
			exit
		print "filter:\n  own:\n    hook: forward\n    priority: filter\n    rules:"
		for (i = 0; i < rules; i++) {
			if (i % 4 == 0) match_ = sprintf("from: 10.%d.%d.0/24", i / 256, i % 256)
			if (i % 4 == 1) match_ = sprintf("to: 172.16.%d.%d", i / 256, i % 256)
			if (i % 4 == 2) match_ = sprintf("from: 192.168.%d.%d, proto: tcp, dport: %d", i / 256, i % 256, 1000 + i)
			if (i % 4 == 3) match_ = sprintf("in: in0, proto: udp, dport: %d-%d", 10000 + i + which, 10003 + i + which)
			printf "      - {name: r%d, %s, action: %s}\n", i, match_, i % 8 < 4 ? "drop" : "accept"
		}
		print "qos:\n  out0:\n    egress:\n      root: {htb: {}, handle: \"1:\"}\n      classes:"
		print "        all: {handle: \"1:fffe\", rate: 10gbit, quantum: 1514}"
		for (i = 1; i <= classes; i++)
			printf "        x%x: {handle: \"1:%x\", parent: all, rate: %dmbit, ceil: 10gbit, quantum: 1514, leaf: {fq_codel: {}}}\n", i, i, 8 + which
		print "      filters:"
		for (i = 1; i <= classes; i++)
			printf "        - {from: 198.18.%d.%d, class: x%x}\n", i / 256, i % 256, i
	}'
}

# number KEY: out of one row of JSON on stdin
number()
{
	sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | head -n 1
}

status() # VmRSS | VmHWM, in KiB
{
	awk -v key="$1:" '$1 == key { print $2 }' "/proc/$bench_router/status"
}

start()
{
	config 0 > "$T/router.yaml"
	bench_ns rtr sysctl -qw net.ipv4.ip_forward=0
	bench_router_up
}

flow_count()
{
	bench_ctl -j show conntrack stats | number live
}

# load_start: generator and sink
load_start()
{
	bench_sink_up --cpu "$BENCH_FWD_CPU" || return
	ip netns exec gen "$B/tests/tools/pktgen" gen g0 --dst-mac $bench_in_mac --cpu "$BENCH_GEN_CPU" \
		--src 198.18.0.1-198.18.3.232 --dst 198.19.0.1-198.19.0.100 --flows "$flows" --rate "$rate" --batch 16 \
		--time 300 -j > "$T/gen" &
	gen=$!
}

# load_stop: into $lost
load_stop()
{
	kill -INT $gen && wait $gen
	sleep 0.5
	bench_sink_down
	lost=$(bench_lost)
}

# flows_make: what is lost until there are all is not counted
flows_make()
{
	local tries=0
	load_start || return
	until [ "$(flow_count)" -ge "$flows" ]; do
		[ $((++tries)) -lt 1000 ] && sleep 0.1 || { echo "only $(flow_count) flows" >&2; return 1; }
	done
	load_stop
}

# once WHICH: a reload
once()
{
	local start end
	config "$1" > "$T/router.yaml"
	bench_ctl reset workers || return
	start=$(date +%s%N)
	bench_ctl reload > "$T/said" || { cat "$T/said" >&2; return 1; }
	end=$(date +%s%N)
	sleep 0.5 # a packet of each flow
	echo $(((end - start) / 1000000)) >> "$T/ms"
	bench_ctl -j show workers | number worst_loop_us >> "$T/worst"
}

measure_reload()
{
	load_start && sleep 1 && once 1 && once 0 && once 1 && load_stop || return
	echo "$(bench_median < "$T/ms") $lost $(bench_median < "$T/worst") $(bench_value pps "$T/gen")"
}

measure_dump()
{
	local rss rows high
	load_start && sleep 1 || return
	rss=$(status VmRSS)
	echo 5 > "/proc/$bench_router/clear_refs" # the maximum begins anew
	bench_ctl -j show conntrack > "$T/flows.json" || return
	high=$(status VmHWM)
	rows=$(grep -c '"family"' "$T/flows.json")
	load_stop
	echo "$(awk "BEGIN { printf \"%.2f\", ($high - $rss) / 1024 }") $lost $rows $(bench_value pps "$T/gen")"
}

bench_topology_up && ip -n sink link set s0 address 02:00:00:00:02:03 &&
	bench_ns sink sh -c "printf %x $((1 << BENCH_GEN_CPU)) > /sys/class/net/s0/queues/rx-0/rps_cpus" || exit
start && flows_make && measure_"$what"
rc=$?
[ -z "${BENCH_VERBOSE:-}" ] || { cat "$T/gen" "$T/sink"; bench_ctl show drops -s; bench_ctl show workers -s; cat "$T/router.log"; } >&2
bench_router_down
exit $rc
