#!/bin/bash
# tests/netns/ipv6.sh: packets of IPv6 of every odd kind (tests/tools/rows6.py), and what becomes of them.
# KERNEL=1: what Linux makes of the same, to compare by eye.
. "$(dirname "$0")/../lib.sh"

ns_add a r b
ns r sysctl -qw net.ipv6.conf.default.accept_dad=0 # its link-local addresses are there at once
veth a a0 r lan0
veth r wan0 b b0
veth r wan1 b b1
host_addr a a0 2001:db8:1::2/64 fe80::a:2/64
host_addr r lan0 2001:db8:1::1/64
host_addr r wan0 2001:db8:2::1/64
host_addr r wan1 2001:db8:3::1/64
host_addr b b0 2001:db8:2::2/64
host_addr b b1 2001:db8:3::2/64
ip -n r link set wan0 mtu 1400
ip -n r link set wan1 mtu 1280
for from in 2001:db8:a::/64 fec0::/112; do ip -n r -6 route add $from via 2001:db8:1::2; done
for to in 2001:db8:e0::/48 fec0::2:0/112; do ip -n r -6 route add $to via 2001:db8:2::2; done
ip -n r -6 route add 2001:db8:e3::/48 via 2001:db8:3::2
ip -n r -6 route add 2001:db8:e1::/48 via 2001:db8:2::2 mtu 1000
ip -n r -6 route add prohibit 2001:db8:f1::/48
ip -n r -6 route add unreachable 2001:db8:f2::/48
ip -n r -6 route add blackhole 2001:db8:f3::/48
ip -n r -6 route add throw 2001:db8:f4::/48
mac=$(ip -n r -j link show lan0 | json - 'd[0]["address"]')
if [ -n "${KERNEL:-}" ]; then
	ns r sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.icmp.ratelimit=0
	sleep 1
	ns a python3 "$lib_top/tests/tools/rows6.py" a0 "$mac" b b0 b1
	exit
fi
router_start - << 'END'
version: 1
interfaces: {lan0: {}, wan0: {}, wan1: {}}
routing: {icmp-errors: {rate: 10000, burst: 10000}}
END
ns a python3 "$lib_top/tests/tools/rows6.py" a0 "$mac" b b0 b1
check_conservation
finish
