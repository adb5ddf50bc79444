#!/bin/bash
# veth.sh fwd|one|nat|nat-one [SECONDS]: our router and Linux on the same two veths, in turns; prints
#     OURS LINUX SHARE      packets per second, and the percent of its core that Linux got
# nat, nat-one: as fwd and one, with source NAT; Linux masquerades by nftables.
# tests/bench/lib.sh says where each stage runs. Linux takes frames in by an XDP program that passes
# (it is faster here than by GRO). The sink stands for another machine: RPS has its receive work done
# on the generator's core, it is not addressed, so that its Linux drops what comes at once, and its
# device has counted it. The medians of the rounds count: a disturbed one does not.
. "$(dirname "$0")/lib.sh"
row=$1 seconds=${2:-2} rounds=${ROUNDS:-5}

cat > "$T/router.yaml" <<X
version: 1
router:
  workers: {cpus: [$BENCH_FWD_CPU], mode: ${BENCH_MODE:-adaptive}}
  xdp: {ring-size: ${BENCH_RING:-2048}}
interfaces: {in0: {}, out0: {}}
X
case $row in
nat*)
	cat >> "$T/router.yaml" << X
conntrack: {max: 200000}
nat: {source: [{name: all, out: out0, action: snat, pool: 198.51.100.1-198.51.100.2}]}
X
	;;
esac
# Linux's NAT; it is there only while Linux forwards.
linux_nat()
{
	case $row in nat*) ;; *) return 0 ;; esac
	ip netns exec rtr nft -f - <<- X
		table ip bench
		delete table ip bench
		$1
	X
}
masquerade='table ip bench { chain post { type nat hook postrouting priority srcnat; oifname out0 masquerade; }; }'

sink_packets()
{
	ip netns exec sink cat /sys/class/net/s0/statistics/rx_packets
}

# bench_run SECONDS: as in lib.sh, with that sink.
bench_run()
{
	local before after
	before=$(sink_packets)
	ip netns exec gen "$B/tests/tools/pktgen" gen g0 --dst-mac $bench_in_mac --cpu "$BENCH_GEN_CPU" \
		--time "$1" -j "${bench_flows4[@]}" > "$T/gen" || return
	sleep 0.1
	after=$(sink_packets)
	awk -v n=$((after - before)) -v s="$(bench_value seconds "$T/gen")" \
		'BEGIN { printf "{\"packets\":%d,\"pps\":%d}\n", n, n / s }' > "$T/sink"
}

median()
{
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

ours()
{
	local pid rc tries=0
	bench_ns rtr sysctl -qw net.ipv4.ip_forward=0
	ip netns exec rtr "$B/router" -c "$T/router.yaml" -R "$T/run" 2> "$T/router.log" &
	pid=$!
	until "$B/routerctl" -R "$T/run" show status 2> /dev/null | grep -q running; do
		[ $((++tries)) -lt 100 ] && sleep 0.05 || { cat "$T/router.log" >&2; return 1; }
	done
	[ "$row" = "${row%one}" ] || bench_pin_napi rtr in0 "$BENCH_FWD_CPU" || return
	bench_run "$seconds" && bench_value pps "$T/sink"
	rc=$?
	"$B/routerctl" -R "$T/run" show drops -s > "$T/drops"
	"$B/routerctl" -R "$T/run" show workers -s >> "$T/drops"
	[ "$row" = "${row%one}" ] || bench_unpin_napi rtr in0
	kill $pid && wait $pid
	bench_ns rtr sysctl -qw net.ipv4.ip_forward=1
	return $rc
}

bench_topology_up && ip -n sink link set s0 address 02:00:00:00:02:03 &&
	bench_ns sink sh -c "printf %x $((1 << BENCH_GEN_CPU)) > /sys/class/net/s0/queues/rx-0/rps_cpus" || exit
for ((i = 0; i < rounds; i++)); do
	linux_nat "$masquerade" || exit
	bench_linux_forward xdp "$seconds" >> "$T/linux" || exit
	linux_nat '' || exit
	cat "$T/share" >> "$T/shares"
	ours >> "$T/ours" || exit
done
[ -z "${BENCH_VERBOSE:-}" ] || { paste "$T/linux" "$T/ours" "$T/shares"; cat "$T/drops" "$T/gen"; } >&2
echo "$(median < "$T/ours") $(median < "$T/linux") $(median < "$T/shares")"
