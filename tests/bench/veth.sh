#!/bin/bash
# veth.sh fwd|one|nat|nat-one|htb [SECONDS]: our router and Linux on the same two veths, in turns; prints
#     OURS LINUX SHARE      packets per second, and the percent of its core that Linux got
# nat, nat-one: as fwd and one, with source NAT; Linux masquerades by nftables.
# htb: as fwd, and out0 has a class of htb for each of 1,000 hosts (veth_htb.sh).
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
flows=("${bench_flows4[@]}")
case $row in
nat*)
	cat >> "$T/router.yaml" << X
conntrack: {max: 200000}
nat: {source: [{name: all, out: out0, action: snat, pool: 198.51.100.1-198.51.100.2}]}
X
	;;
htb)
	. "$(dirname "$0")/veth_htb.sh"
	htb_yaml >> "$T/router.yaml"
	flows=("${htb_flows[@]}")
	;;
esac

# linux_also on|off: what Linux does beside forwarding; it is there only while Linux forwards.
linux_also()
{
	case $row in
	nat*) nat_$1 ;;
	htb) htb_$1 ;;
	esac
}

nat_on()
{
	ip netns exec rtr nft 'table ip bench { chain post { type nat hook postrouting priority srcnat;
		oifname out0 masquerade; }; }'
}

nat_off()
{
	ip netns exec rtr nft delete table ip bench
}

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
		--time "$1" -j "${flows[@]}" > "$T/gen" || return
	sleep 0.1
	after=$(sink_packets)
	awk -v n=$((after - before)) -v s="$(bench_value seconds "$T/gen")" \
		'BEGIN { printf "{\"packets\":%d,\"pps\":%d}\n", n, n / s }' > "$T/sink"
}

# percent_of_core PID NS-BEFORE: what all threads have run since then.
percent_of_core()
{
	echo $((($(ran "$1") - $2) / seconds / 10000000))
}

ran()
{
	cat /proc/"$1"/task/*/schedstat | awk '{ ns += $1 } END { printf "%d\n", ns }'
}

ours()
{
	local rc before
	bench_ns rtr sysctl -qw net.ipv4.ip_forward=0
	bench_router_up || return
	[ "$row" = "${row%one}" ] || bench_pin_napi rtr in0 "$BENCH_FWD_CPU" || return
	before=$(ran "$bench_router")
	bench_run "$seconds" && bench_value pps "$T/sink"
	rc=$?
	percent_of_core "$bench_router" "$before" >> "$T/our_shares"
	[ "$row" != htb ] || htb_all_used bench_ctl show qos -s -o tc dev out0 || return
	bench_ctl show drops -s > "$T/drops"
	bench_ctl show workers -s >> "$T/drops"
	[ "$row" = "${row%one}" ] || bench_unpin_napi rtr in0
	bench_router_down
	bench_ns rtr sysctl -qw net.ipv4.ip_forward=1
	return $rc
}

bench_topology_up && ip -n sink link set s0 address 02:00:00:00:02:03 &&
	bench_ns sink sh -c "printf %x $((1 << BENCH_GEN_CPU)) > /sys/class/net/s0/queues/rx-0/rps_cpus" || exit
for ((i = 0; i < rounds; i++)); do
	linux_also on || exit
	bench_linux_forward xdp "$seconds" >> "$T/linux" || exit
	linux_also off || exit
	cat "$T/share" >> "$T/shares"
	ours >> "$T/ours" || exit
done
[ -z "${BENCH_VERBOSE:-}" ] || { paste "$T/linux" "$T/shares" "$T/ours" "$T/our_shares"; cat "$T/drops" "$T/gen"; } >&2
echo "$(bench_median < "$T/ours") $(bench_median < "$T/linux") $(bench_median < "$T/shares")"
