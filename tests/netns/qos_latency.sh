#!/bin/bash
# tests/netns/qos_latency.sh: what a call feels beside four bulk flows that fill the line: next to
# nothing behind fq_codel, and the whole queue behind a fifo.
# check: release-only
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
. "$(dirname "$0")/../qos.sh"
command -v irtt > "$T/seen" || skip_all "no irtt here"
command -v iperf3 > "$T/seen" || skip_all "no iperf3 here"

seconds=4

# quiet MOST-P50 MOST-P99: microseconds added to those of an idle line
quiet()
{
	rtt_loaded $seconds || return
	echo "added: $((p50 - idle50)) us, at most $((p99 - idle99)) us in 99 % of the cases"
	[ $((p50 - idle50)) -le "$1" ] && [ $((p99 - idle99)) -le "$2" ]
}

twice()
{
	"$@" || { note "once more, on a busy machine: $p50 us, $p99 us" && "$@"; }
}

qos_topo || exit
router_start
check "it forwards" flood_ready ours
check "iperf3's server" bulk_server b
ns_bg b irtt server -b 10.0.2.2 > "$T/irtt.log" 2>&1
check "irtt's server" eventually 5 ns a irtt client -n -Q 10.0.2.2

# of a frame of 1514 bytes, twice, and a millisecond
for line in "10mbit 10000000 3423" "100mbit 100000000 1243"; do
	read -r name bits most <<< "$line"
	check "$name with fq_codel" shape "$(line "$name" "fq_codel: {}")"
	check "$name: an idle line" rtt $seconds
	idle50=$p50 idle99=$p99
	check "$name: beside four flows, half of the packets take no more than two frames and 1 ms longer" \
		twice quiet "$most" 8000
	note "$name: idle $idle50 and $idle99 us, loaded $p50 and $p99 us; $answered % answered"
	check "$name: 99 % of all take no more than 8 ms longer" [ $((p99 - idle99)) -le 8000 ]
	check "$name: and the flows fill the line" [ "$bulk" -gt $((bits * 88 / 100)) ]
	check "$name: which codel keeps short" [ "$(qos 10: drops)" -gt 0 ]
	check "$name with a fifo" shape "$(line "$name" "pfifo: {limit: 1000}")"
	check "$name: a fifo beside it" rtt_loaded $seconds
	note "$name: $p50 and $p99 us behind a fifo"
	check "$name: keeps half of the packets for more than 50 ms" [ $((p50 - idle50)) -gt 50000 ]
	check "$name: what is queued leaves" qos_idle
done
bulk_stop
check_conservation
finish
