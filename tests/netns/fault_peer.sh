#!/bin/bash
# tests/netns/fault_peer.sh: neighbours that do not answer, by the hundred, and a peer that does
# not drain; live traffic is not touched, hosts are told, nothing leaks. And two routers side by side.
. "$(dirname "$0")/../load.sh"

dead=(--dst 10.200.0.1-10.200.3.232) # 1000 of them

topo_three 2
host_addr r wan0 10.200.255.1/16
router_start
passes "it forwards"

# ---- hundreds of dead neighbours
unreachable()
{
	ns a ping -c 3 -i 0.5 -W 4 10.200.77.77 | grep -i 'from 10.0.1.1 .*Destination Host Unreachable'
}
told()
{
	ns a nstat -asz IcmpInDestUnreachs | awk '/^Icmp/ { print $2 }'
}
check "a host is told that a dead one is unreachable" unreachable
host_addr b b0 10.200.77.77/16
check "until it lives: who failed is asked for again" ns a ping -q -c 3 -i 0.2 -W 1 10.200.77.77
load_start 2000
before=$(told)
ns_bg a "$B/tests/tools/pktgen" gen a0 --dst-mac "$(mac_of r lan0)" --src 10.0.1.2 "${dead[@]}" \
	--rate 2000 --flows 1000 --time 8 -j > "$T/dead"
flood=$!
sleep 1
ns a ping -6 -q -c 20 -i 0.05 -W 1 2001:db8:2::2 > "$T/live"
is "a ping meanwhile loses nothing" "$(grep -o '[0-9]* received' "$T/live")" "20 received"
check "the number of packets that wait is bounded" [ "$(ctl_json 'd["held"]' show status)" -le 4096 ]
wait $flood
check "the sender is told, at a bounded rate" [ $(($(told) - before)) -ge 3 ]
check "more often than that would be too often" [ $(($(told) - before)) -lt 100 ]
note "ICMP errors: $(($(told) - before)) for $(json "$T/dead" 'd["packets"]') packets"
load_stop
is "live traffic loses nothing to the dead" "$load_lost" 0
none_held()
{
	[ "$(ctl_json 'd["held"]' show status)" = 0 ]
}
check "in the end nothing waits" eventually 10 none_held
check_conservation

# ---- one that comes to life while packets wait for it
ns a ping -q -c 4 -i 0.3 -W 5 10.200.9.9 > "$T/late" &
late=$!
sleep 0.4
host_addr b b0 10.200.9.9/16
wait $late
note "$(grep received "$T/late")"
check "packets that waited for a neighbour come through" grep -v ' 0 received' <(grep received "$T/late")

# ---- a peer that does not drain: its carrier goes while our rings are full
load_start 20000
for _ in 1 2 3 4 5; do
	ip -n b link set b0 down
	sleep 0.2
	ip -n b link set b0 up
	sleep 0.3
done
host_addr b b0 2001:db8:2::2/64
ip -n b route replace default via 10.0.2.1
ip -n b -6 route replace default via 2001:db8:2::1
passes "after a peer whose carrier comes and goes at full rings"
load_stop
check_conservation
check "it stops" router_stop

# ---- rings of 64, and more than they take
router_start - << END
version: 1
router: {xdp: {ring-size: 64}}
interfaces: {lan0: {}, wan0: {}}
END
passes "rings of 64"
# A gateway that dies without a word, and to which Linux itself has nothing to say. It is b, who
# would still answer: only its silence to ARP tells.
ns r sysctl -qw net.ipv4.neigh.wan0.base_reachable_time_ms=500 net.ipv4.neigh.wan0.delay_first_probe_time=1
host_addr b b0 10.0.2.9/24
host_addr b lo 10.50.0.1/32
ip -n r route add 10.50.0.0/16 via 10.0.2.9
check "a gateway" eventually 5 ns a ping -q -c 1 -W 1 10.50.0.1
ip -n b addr del 10.0.2.9/24 dev b0
load_start 1000000
sleep 3
load_stop
passes "forward after a flood"
gateway_gone()
{
	ns a ping -c 1 -W 4 10.50.0.1 | grep -i 'from 10.0.1.1 .*Destination Host Unreachable'
}
check "a gateway that has died is noticed" eventually 15 gateway_gone
check_conservation

# ---- two routers in two namespaces, one behind the other
ns_add r2 c
veth b b1 r2 lan0 2 && veth r2 wan0 c c0 2
host_addr b b1 10.0.3.1/24
host_addr r2 lan0 10.0.3.2/24
host_addr r2 wan0 10.0.4.1/24
host_addr c c0 10.0.4.2/24
ns b sysctl -qw net.ipv4.ip_forward=1
ip -n r route add 10.0.4.0/24 via 10.0.2.2
ip -n b route add 10.0.4.0/24 via 10.0.3.2
ip -n c route add default via 10.0.4.1
ip -n r2 route add default via 10.0.3.1
ROUTER_NS=r2 ROUTER_DIR=/run/router2
router_start
check "two routers in two namespaces, the same names of ports" \
	eventually 10 ns a ping -q -c 1 -W 1 10.0.4.2
check_conservation
check "the second ends" router_stop
# shellcheck disable=SC2034
ROUTER_NS=r ROUTER_DIR=/run/router
passes "and the first goes on"
check_conservation
finish
