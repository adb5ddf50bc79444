#!/bin/bash
# tests/netns/fault_gone.sh: things that vanish while packets depend on them: a port for which
# packets wait, its address, routes, the daemon itself under a flood. And a port
# found by its MAC address, whatever its name.
# check: thread
. "$(dirname "$0")/../load.sh"

none_held()
{
	[ "$(ctl_json 'd["held"]' show status)" = 0 ]
}

# dead_load SECONDS: packets that will wait for a thousand neighbours on 10.200.0.0/16.
dead_load()
{
	ns_bg a "$B/tests/tools/pktgen" gen a0 --dst-mac "$(mac_of r lan0)" --src 10.0.1.2 \
		--dst 10.200.0.1-10.200.3.232 --flows 1000 --rate 5000 --time "$1" > "$T/dead"
	dead=$!
}

# dmz: a third port, to a host that answers to nothing.
dmz()
{
	ip -n r link show dmz0 > "$T/seen" 2>&1 || veth r dmz0 b b9 || return
	ip -n b link set b9 up
	ip -n r link set dmz0 up
	ip -n r addr replace 10.200.255.1/16 dev dmz0
}

is_open()
{
	[ "$(ctl_json 'd["interfaces"]' show status)" = "$1" ]
}

topo_three 2
dmz
router_start - << END
version: 1
interfaces: {lan0: {}, wan0: {}, dmz0: {}}
END
passes "it forwards"

load_start 2000
for what in 'addr del 10.200.255.1/16 dev dmz0' 'link set dmz0 down' 'link del dmz0'; do
	dmz
	check "three ports are open" eventually 5 is_open 3
	dead_load 2
	sleep 1
	check "packets wait" [ "$(ctl_json 'd["held"]' show status)" -gt 0 ]
	# shellcheck disable=SC2086
	ip -n r $what
	check "no longer after '$what'" eventually 8 none_held
	wait $dead
done
passes "the other ports go on"
load_stop
is "and loses nothing" "$load_lost" 0
check_conservation

ip -n r link del wan0
veth r wan0 b b0 2
host_addr r wan0 10.0.2.1/24 2001:db8:2::1/64
host_addr b b0 10.0.2.2/24 2001:db8:2::2/64
ip -n b route replace default via 10.0.2.1
ip -n b -6 route replace default via 2001:db8:2::1
passes "a new one forwards"

# ---- routes change under the packets
load_start 5000
for _ in 1 2 3 4 5 6 7 8 9 10; do
	ip -n r route replace 10.0.2.2/32 via 10.0.2.2 dev wan0 onlink
	ip -n r route replace 10.0.2.0/30 dev wan0
	ip -n r route del 10.0.2.2/32
	ip -n r neigh replace 10.0.2.2 lladdr "$(mac_of b b0)" dev wan0
	ip -n r route del 10.0.2.0/30
done
load_stop
is "routes that change under the packets cost none of them" "$load_lost" 0
check_conservation

# ---- the end, under a flood
load_start 1000000
sleep 1
check "SIGTERM under a flood" router_stop
check_not "leaves no program" sh -c 'ip -n r -d link | grep prog/xdp'
router_start
sleep 1
load_stop
passes "and a start under one"
check_conservation
router_stop > "$T/seen"

# ---- by MAC address
mac=$(mac_of r wan0)
router_start - << END
version: 1
interfaces:
  lan0: {}
  uplink: {match: {mac: "$mac"}}
END
passes "a port found by its MAC address forwards"
ip -n r link set wan0 down
ip -n r link set wan0 name enp7s0
ip -n r link set enp7s0 up
host_addr r enp7s0 2001:db8:2::1/64
passes "whatever it is called"
is "without having been closed" "$(grep -c 'uplink: port .* closed' "$(lib_log)")" 0
check_conservation
finish
