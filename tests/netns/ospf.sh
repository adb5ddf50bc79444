#!/bin/bash
# tests/netns/ospf.sh: FRR with OSPF, OSPFv3 and BGP on our ports, two neighbours with the same prefixes.
# Sessions form, paths come and go under traffic, zebra is restarted with and without grace, daemons are
# killed; the router's table is Linux's after each, and nothing is lost that Linux would not lose.
# check: heavy
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../routing.sh"
[ -x /usr/lib/frr/ospf6d ] || skip_all "no FRR here"

routes4=300 routes6=100

routing_topo
for n in r b c; do
	case $n in
	r) id=1 ports="wan0 wan1" ;;
	b) id=2 ports=b0 ;;
	c) id=3 ports=c0 ;;
	esac
	echo 'no ip forwarding
no ipv6 forwarding' > "$T/zebra.$n.conf"
	if [ $n != r ]; then # what OSPF is told of; packets find it in the table local
		routing_prefixes 4 $routes4 | sed 's/^/route add blackhole /' | ip -n $n -batch -
		routing_prefixes 6 $routes6 | sed 's/^/route add blackhole /' | ip -n $n -6 -batch -
	fi
	for p in $ports; do
		echo "interface $p
 ip ospf network point-to-point
 ip ospf dead-interval minimal hello-multiplier 4"
	done > "$T/ospfd.$n.conf"
	for p in $ports; do
		echo "interface $p
 ipv6 ospf6 area 0
 ipv6 ospf6 network point-to-point
 ipv6 ospf6 hello-interval 1
 ipv6 ospf6 dead-interval 2"
	done > "$T/ospf6d.$n.conf"
	echo "router ospf
 ospf router-id 9.9.9.$id
 network 10.0.2.0/23 area 0
 redistribute kernel metric 10
 timers throttle spf 10 50 500
 timers throttle lsa all 50
 timers lsa min-arrival 0" >> "$T/ospfd.$n.conf"
	echo "router ospf6
 ospf6 router-id 9.9.9.$id
 redistribute kernel
 timers throttle spf 10 50 500
 timers lsa min-arrival 0" >> "$T/ospf6d.$n.conf"
done

# BGP: b and c announce 21.0.0.0/24 and on; r takes both as one route
bgp=300
for n in b c; do
	[ $n = b ] && net=2 || net=3
	{
		echo "router bgp 6500$net
 bgp router-id 10.0.$net.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 10.0.$net.1 remote-as 65001
 neighbor 10.0.$net.1 timers connect 1
 neighbor 10.0.$net.1 advertisement-interval 0"
		routing_prefixes 4 $bgp | sed 's/^20/ network 21/'
	} > "$T/bgpd.$n.conf"
done
echo 'router bgp 65001
 bgp router-id 10.0.1.1
 no bgp ebgp-requires-policy
 bgp bestpath as-path multipath-relax
 neighbor 10.0.2.2 remote-as 65002
 neighbor 10.0.2.2 timers connect 1
 neighbor 10.0.3.2 remote-as 65003
 neighbor 10.0.3.2 timers connect 1
 address-family ipv4 unicast
  maximum-paths 2
  neighbor 10.0.2.2 route-map nothing out
  neighbor 10.0.3.2 route-map nothing out
 exit-address-family
route-map nothing deny 10' > "$T/bgpd.r.conf"

learned() # 4|6 PROTOCOL: how many
{
	ctl_json "sum(r['protocol'] == '$2' and r['state'] == 'active' and (':' in r['dst']) == ($1 == 6)
		and r['dst'].startswith(('20.', '2001:db8:8', '21.')) for r in d)" show routes
}
all_learned()
{
	echo "OSPF: $(learned 4 ospf) $(learned 6 ospf)"
	[ "$(learned 4 ospf)" = $routes4 ] && [ "$(learned 6 ospf)" = $routes6 ]
}
both()
{
	all_learned && routing_over "wan0 wan1" 20.0.0.1 20.0.1.1 2001:db8:8000::1
}
# over_b: all over b alone
over_b()
{
	all_learned && routing_over "wan0" 20.0.0.1 20.0.1.1 2001:db8:8000::1
}
none()
{
	echo "OSPF: $(learned 4 ospf) $(learned 6 ospf)"
	[ "$(learned 4 ospf)" = 0 ] && [ "$(learned 6 ospf)" = 0 ]
}

router_start "$routing_yaml"
declare -A pid=()
start() # NS DAEMON ARGS...
{
	frr_start "$@"
	pid[$1-$2]=$!
}
for n in r b c; do start $n zebra --v6-rr-semantics; done
for n in r b c; do
	check "zebra of $n is up" eventually 10 test -S /run/frr/$n/zserv.api
	start $n ospfd
	start $n ospf6d
done
check "sessions form, and every prefix is learned from both neighbours" eventually 40 both
check "the table is Linux's" eventually 5 routing_same $routes4
stream_begin

# ---- one of two paths goes, and comes back
gone() # DAEMON WORD...: of c
{
	vtysh -N c -d "$1" -c 'configure terminal' -c "router ${1%d}" -c "$2 redistribute kernel ${3:-}"
}
withdraw()
{
	gone ospfd no && gone ospf6d no
}
announce()
{
	gone ospfd '' 'metric 10' && gone ospf6d '' ''
}
check "c withdraws" withdraw
check "the routes lead over b" eventually 10 over_b
check "the table is Linux's" eventually 5 routing_same $routes4
check "c announces again" announce
check "the routes lead over both" eventually 15 both
stream_end "a path is withdrawn and comes back" 0

# ---- a neighbour's daemons are killed
stream_begin
kill -9 "${pid[c-ospfd]}" "${pid[c-ospf6d]}"
check "without c's daemons the routes lead over b" eventually 10 over_b
check "the table is Linux's" eventually 5 routing_same $routes4
start c ospfd
start c ospf6d
check "with them they lead over both" eventually 40 both
stream_end "a neighbour's daemons are killed" 0

# ---- BGP: two peers, one of which is killed and comes back
bgp_over() # DEVICES
{
	[ "$(learned 4 bgp)" = $bgp ] || { echo "BGP: $(learned 4 bgp)"; return 1; }
	routing_over "$1" 21.0.0.1 21.0.255.1 21.1.43.1
}
start r bgpd
start b bgpd -Z
start c bgpd -Z
check "BGP: all is learned from both peers" eventually 20 bgp_over "wan0 wan1"
check "the table is Linux's" eventually 5 routing_same $((routes4 + bgp))
stream_begin 21.0.0.1 21.0.77.77 21.0.255.255 21.1.43.1
kill -9 "${pid[c-bgpd]}"
check "BGP: a peer is killed: over the other" eventually 10 bgp_over wan0
start c bgpd -Z
check "BGP: it is back: over both" eventually 20 bgp_over "wan0 wan1"
stream_end "a BGP peer is killed and comes back" 0
check "the table is Linux's" eventually 5 routing_same $((routes4 + bgp))
kill "${pid[r-bgpd]}"
wait "${pid[r-bgpd]}"

# ---- all of FRR is killed, as watchfrr restarts it: its routes stay in Linux, and -K takes them over
frr_up() # ARGS of zebra
{
	rm -f /run/frr/r/zserv.api
	start r zebra --v6-rr-semantics "$@" # IPv6 routes are replaced, too, not deleted and added
	eventually 10 test -S /run/frr/r/zserv.api
	start r ospfd
	start r ospf6d
}
stream_begin
ns_bg r ip monitor route > "$T/monitor"
monitor=$!
kill -9 "${pid[r-zebra]}" "${pid[r-ospfd]}" "${pid[r-ospf6d]}"
sleep 0.5
check "FRR is killed: its routes stay" both
check "the table is Linux's" eventually 5 routing_same $routes4
frr_up -K 8 # seconds, in which OSPF must have learned all again
sleep 9
check "it is back, and its grace is over: the routes lead over both" eventually 20 both
check "the table is Linux's" eventually 5 routing_same $routes4
kill $monitor
note "Linux's routes that FRR deleted: $(grep -c '^Deleted 2' "$T/monitor")"
stream_end "FRR is killed and restarts with grace" \
	"$(grep -q '^Deleted 2' "$T/monitor" && echo 5000 || echo 0)" # then they were Linux's to lose

# ---- zebra ends as it does by default, and takes its routes with it
kill "${pid[r-zebra]}"
wait "${pid[r-zebra]}"
kill -9 "${pid[r-ospfd]}" "${pid[r-ospf6d]}"
check "zebra ends: its routes go" eventually 10 none
check_not "and lead nowhere" ns a ping -q -c 1 -W 1 20.0.0.1
check "the table is Linux's" eventually 5 routing_same 5
frr_up
check "with FRR they are back" eventually 40 both
check "the table is Linux's" eventually 5 routing_same $routes4

# ---- a link goes: Linux drops that hop by itself, and so do we
stream_begin
ip -n c link set c0 down
check "c's link is down: the routes lead over b" eventually 10 over_b
check "the table is Linux's" eventually 5 routing_same $routes4
ip -n c link set c0 up
host_addr c c0 2001:db8:3::2/64
ip -n c route add 10.0.1.0/24 via 10.0.3.1
ip -n c -6 route add 2001:db8:1::/64 via 2001:db8:3::1
sessions()
{
	[ "$(vtysh -N r -d ospfd -c 'show ip ospf neighbor' 2> /dev/null | grep -c Full/)" = 2 ] &&
		[ "$(vtysh -N r -d ospf6d -c 'show ipv6 ospf6 neighbor' 2> /dev/null | grep -c Full/)" = 2 ]
}
check "it is up: so are the sessions" eventually 20 sessions
sleep 1 # whatever FRR makes of its nexthop groups, of which Linux took a member
stream_end "a link goes down and up" 30
check "the table is Linux's" eventually 5 routing_same $routes4
check_conservation
finish
