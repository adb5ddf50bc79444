#!/bin/bash
# qos.sh fair | ping RATE: TCP through a shaped line between two hosts on veths; prints
#     fair   JAIN BYTES...            of 8 CUBIC flows through htb at 50mbit with fq_codel
#     ping   P50 P99 FIFO ANSWERED    microseconds added beside 4 CUBIC flows to a call over the line
#                                     (median, 99th percentile) with fq_codel; the median added with a
#                                     fifo of 1,000 packets; percent of the call's packets answered
# BENCH_SECONDS says how long each run is.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
. "$(dirname "$0")/../qos.sh"
seconds=${BENCH_SECONDS:-10}
lib_done=1 # says a figure, and nothing of what a test says

# quietly CMD...: its words only if it fails, and that is the end
quietly()
{
	"$@" > "$T/seen" 2>&1 || { cat "$T/seen" >&2; exit 1; }
}

measure_fair()
{
	quietly shape "$(line 50mbit "fq_codel: {}")"
	quietly jain 8 "$seconds"
	echo "$jain $flow_bytes"
}

measure_ping()
{
	local idle50 idle99 added50 added99 fq_answered
	quietly shape "$(line "$1" "fq_codel: {}")"
	quietly rtt "$seconds"
	idle50=$p50 idle99=$p99
	quietly rtt_loaded "$seconds"
	added50=$((p50 - idle50)) added99=$((p99 - idle99)) fq_answered=$answered
	quietly shape "$(line "$1" "pfifo: {limit: 1000}")"
	quietly rtt_loaded "$seconds"
	echo "$added50 $added99 $((p50 - idle50)) $fq_answered"
}

for tool in irtt iperf3; do
	command -v $tool > "$T/seen" || { echo "no $tool here" >&2; exit 77; }
done
quietly qos_topo
quietly router_start
quietly flood_ready ours
quietly bulk_server b
ns_bg b irtt server -b 10.0.2.2 > "$T/irtt.log" 2>&1
quietly eventually 5 ns a irtt client -n -Q 10.0.2.2
measure_"$1" "${@:2}"
