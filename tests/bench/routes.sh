#!/bin/bash
# routes.sh: a full Internet table through Linux into the router while it forwards, and out of it again; prints
#     ROUTES IN OUT LOST READY EMPTY PPS IP-IN IP-OUT
#     IN, OUT   ms from the end of `ip -batch`, which adds or deletes, until the router has followed
#     LOST      packets that the generator handed over and the sink did not get, all the time
#     READY     ms from its start to READY with the table in Linux; EMPTY without it
#     PPS       packets a second there were; IP-IN, IP-OUT: seconds that ip took
# The table is ROUTER_BGP_TABLE (gzipped, a prefix a line), or made up and as large; prefix i has next hop i
# modulo 64. ROUTES_MAX: no more than so many of each family. Where it runs: tests/bench/lib.sh, "veth-fwd";
# ip and control where the scheduler likes.
. "$(dirname "$0")/lib.sh"
rate=${1:-50000} max=${ROUTES_MAX:-10000000}

# prefixes 4|6
prefixes()
{
	if [ -n "${ROUTER_BGP_TABLE:-}" ]; then
		zcat "$ROUTER_BGP_TABLE" | if [ "$1" = 4 ]; then grep -v :; else grep :; fi
	elif [ "$1" = 4 ]; then
		awk 'BEGIN { for (i = 0; i < 901899; i++) { n = 720896 + 4 * i
			printf "%d.%d.%d.0/%d\n", n / 65536, n / 256 % 256, n % 256, i % 10 < 6 ? 24 : 22 } }'
	else
		awk 'BEGIN { for (i = 0; i < 160147; i++)
			printf i % 3 ? "2a%02x:%x::/48\n" : "2a%02x:%x::/32\n", i / 65536, i % 65536 }'
	fi | head -n "$max"
}

# batch 4|6 add|del: for ip; next hops 10.2.0.64 to .127 and 2001:2:2::40 to ::7f
batch()
{
	prefixes "$1" | awk -v six=$(($1 == 6)) -v what="$2" '{ n = NR % 64 + 64
		printf six ? "route %s %s via 2001:2:2::%x\n" : "route %s %s via 10.2.0.%d\n", what, $1, n }'
}

neighbours()
{
	local i
	for ((i = 64; i < 128; i++)); do
		echo "neigh replace 10.2.0.$i lladdr $bench_sink_mac dev out0"
		printf "neigh replace 2001:2:2::%x lladdr $bench_sink_mac dev out0\n" $i
	done | ip -n rtr -batch -
}

now_ms()
{
	echo $((${EPOCHREALTIME/./} / 1000))
}

routes()
{
	bench_ctl -j show status 2> /dev/null |
		sed 's/.*"routes_ipv4": *\([0-9]*\).*"routes_ipv6": *\([0-9]*\).*/\1 \2/' | awk '{ print $1 + $2 + 0 }'
}

# router_up: leaves in $T/up the ms until it says that it runs
router_up()
{
	local before
	before=$(now_ms)
	bench_router_up || return
	echo $(($(now_ms) - before)) > "$T/up"
}

# followed WANTED: ms until the router has so many routes
followed()
{
	local start=$1
	until [ "$(routes)" = "$2" ]; do
		[ $(($(now_ms) - start)) -lt 60000 ] && sleep 0.01 || { echo "$(routes) of $2 routes" >&2; return 1; }
	done
	echo $(($(now_ms) - start))
}

# change add|del WANTED: "ms seconds": what the router, and what ip took
change()
{
	local began ended six
	began=$(now_ms)
	for six in 4 6; do
		ip -n rtr -$six -batch "$T/$1.$six" || return
	done
	ended=$(now_ms)
	echo "$(followed "$ended" "$2") $(((ended - began) / 1000))"
}

cat > "$T/router.yaml" << X
version: 1
router: {workers: {cpus: [$BENCH_FWD_CPU]}, xdp: {ring-size: 8192}}
interfaces: {in0: {}, out0: {}}
X
bench_topology_up && neighbours || exit
bench_ns rtr sysctl -qw net.ipv4.ip_forward=0 net.ipv6.route.max_size=2147483647
for six in 4 6; do
	for what in add del; do batch $six $what > "$T/$what.$six" || exit; done
done
table=$(cat "$T/add.4" "$T/add.6" | wc -l)
router_up || exit
empty=$(cat "$T/up") few=$(routes)

bench_sink_up --cpu "$BENCH_FWD_CPU" || exit
ip netns exec gen "$B/tests/tools/pktgen" gen g0 --dst-mac $bench_in_mac --cpu "$BENCH_GEN_CPU" \
	"${bench_flows4[@]}" --rate "$rate" --batch 16 --time 600 -j > "$T/gen" &
gen=$!
sleep 1
read -r in ip_in < <(change add $((few + table))) || exit
[ -z "${BENCH_VERBOSE:-}" ] || bench_ctl show drops >&2
sleep 0.5
read -r out ip_out < <(change del "$few") || exit
kill -INT $gen && wait $gen
sleep 0.5
bench_sink_down
lost=$(bench_lost)
[ -z "${BENCH_VERBOSE:-}" ] || { bench_ctl show drops; cat "$T/router.log" "$T/gen" "$T/sink"; } >&2

bench_router_down
for six in 4 6; do ip -n rtr -$six -batch "$T/add.$six" || exit; done
router_up || exit
ready=$(cat "$T/up")
[ "$(routes)" = $((few + table)) ] || { echo "$(routes) routes at start" >&2; exit 1; }
bench_router_down
echo "$table $in $out $lost $ready $empty $(bench_value pps "$T/sink") $ip_in $ip_out"
