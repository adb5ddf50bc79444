#!/bin/bash
# tests/netns/fault_link.sh: ports and their peers that go down, away, elsewhere and come back,
# under load. The router never restarts, forwards again by itself, and no frame or packet is
# unaccounted for. (design 10: link flap, port deleted)
# check: thread
. "$(dirname "$0")/../load.sh"

# wan_again: the cable between r and b as topo_three made it.
wan_again()
{
	veth r wan0 b b0 && host_addr r wan0 10.0.2.1/24 2001:db8:2::1/64 &&
		host_addr b b0 10.0.2.2/24 2001:db8:2::2/64 || return
	ip -n b route replace default via 10.0.2.1
	ip -n b -6 route replace default via 2001:db8:2::1
}

# flap NS DEV: down for a while, up, and what Linux takes away with it put back.
flap()
{
	ip -n "$1" link set "$2" down
	sleep 0.5
	ip -n "$1" link set "$2" up
	case $2 in
	lan0) host_addr r lan0 2001:db8:1::1/64 ;;
	wan0) host_addr r wan0 2001:db8:2::1/64 ;;
	a0)
		host_addr a a0 2001:db8:1::2/64
		ip -n a route replace default via 10.0.1.1
		ip -n a -6 route replace default via 2001:db8:1::1
		;;
	b0)
		host_addr b b0 2001:db8:2::2/64
		ip -n b route replace default via 10.0.2.1
		ip -n b -6 route replace default via 2001:db8:2::1
		;;
	esac
}

topo_three 2
router_start
pid=$(router_pid)
passes "it forwards"

load_start 5000
for end in "r lan0" "r wan0" "a a0" "b b0"; do
	# shellcheck disable=SC2086
	flap $end
	passes "after ${end#* } was down and up"
done
for _ in 1 2 3 4 5 6 7 8 9 10; do # faster than anyone follows
	ip -n r link set wan0 down
	ip -n r link set wan0 up
done
host_addr r wan0 2001:db8:2::1/64
passes "after ten flaps in a row"
load_stop
check "the load went through between the faults" [ "$load_got" -gt $((load_sent / 3)) ]

load_start 5000
ip -n r link del wan0
sleep 1
passes_not=$(ns a ping -q -c 2 -i 0.1 -W 0.3 10.0.2.2)
is "with the port deleted, nothing comes through" "$(grep -o '[0-9]* received' <<< "$passes_not")" "0 received"
wan_again
passes "a port deleted and made again forwards"
load_stop

ip -n r link del lan0 # and the other one, as receiver of the load
veth a a0 r lan0 && host_addr a a0 10.0.1.2/24 2001:db8:1::2/64 &&
	host_addr r lan0 10.0.1.1/24 2001:db8:1::1/64
ip -n a route replace default via 10.0.1.1
ip -n a -6 route replace default via 2001:db8:1::1
passes "so does the port the traffic comes from"

load_start 5000
ip -n r link set wan0 netns b name wan0-away
sleep 0.5
check_not "a port moved to another namespace carries no program of ours" \
	sh -c 'ip -n b -d link show wan0-away | grep xdp'
ip -n b link set wan0-away netns r name wan0
ip -n r link set wan0 up
host_addr r wan0 10.0.2.1/24 2001:db8:2::1/64
passes "a port moved away and back forwards"

ip -n r link set wan0 down
ip -n r link set wan0 name wan9
ip -n r link set wan9 up
sleep 0.5
check_not "a port that was given another name is left alone" sh -c 'ip -n r -d link show wan9 | grep xdp'
ip -n r link set wan9 down
ip -n r link set wan9 name wan0
ip -n r link set wan0 up
host_addr r wan0 2001:db8:2::1/64
passes "and taken again with its name"
load_stop

load_start 5000
# the neighbours are told, as by any Linux router that is set to
ns r sysctl -qw net.ipv4.conf.all.arp_notify=1 net.ipv6.conf.all.ndisc_notify=1 \
	net.ipv4.conf.wan0.arp_notify=1 net.ipv4.conf.lan0.arp_notify=1 \
	net.ipv6.conf.wan0.ndisc_notify=1 net.ipv6.conf.lan0.ndisc_notify=1
ip -n r link set wan0 address 02:00:00:00:aa:01
ip -n r link set lan0 address 02:00:00:00:aa:02
passes "after the ports' MAC addresses have changed"
load_stop

is "the router is the one we started" "$(router_pid) $(kill -0 "$pid" && echo lives)" "$pid lives"
check_conservation
finish
