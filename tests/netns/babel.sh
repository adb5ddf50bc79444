#!/bin/bash
# tests/netns/babel.sh: BIRD with Babel, then with BGP from two peers, on our ports: sessions form, routes are
# learned, merged into one with two paths, withdrawn, flapped; BIRD is killed, with and without grace. The
# router's table is Linux's after each, and nothing is lost that Linux would not lose.
# check: heavy
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../routing.sh"
command -v bird > /dev/null || skip_all "no bird here"

routes4=1000 routes6=300

# announced NS: what b and c announce by BGP, and one prefix each by Babel
announced()
{
	local family
	for family in 4 6; do
		echo "protocol static bgp$family { ipv$family { table t$family; };"
		routing_prefixes $family $((family == 4 ? routes4 : routes6)) | sed 's/.*/route & blackhole;/'
		echo '}'
	done
}

# babel PORT...: on these
babel()
{
	echo "protocol babel { ipv4 { import all; export where source ~ [ RTS_STATIC, RTS_BABEL ]; };
		ipv6 { import all; export where source ~ [ RTS_STATIC, RTS_BABEL ]; };"
	printf 'interface "%s" { type wired; hello interval 250 ms; update interval 1 s; };\n' "$@"
	echo '}'
}

routing_topo
for n in b c; do
	[ $n = b ] && as=65002 net=2 || as=65003 net=3
	{
		echo "router id 10.0.$net.2; protocol device {} ipv4 table t4; ipv6 table t6;"
		echo 'protocol static babel4 { ipv4; route 21.1.0.0/16 blackhole; }'
		echo "protocol static own4 { ipv4; route 21.$net.0.0/16 blackhole; }"
		echo 'protocol static babel6 { ipv6; route 2001:db8:f000::/48 blackhole; }'
		babel ${n}0
		announced
		echo "protocol bgp peer { local as $as; neighbor 10.0.$net.1 as 65001; $bird_session
			ipv4 { table t4; import none; export all; next hop address 10.0.$net.2; };
			ipv6 { table t6; import none; export all; next hop address 2001:db8:${net}::2; }; }"
	} > "$T/bird.$n.conf"
done
{
	echo 'router id 10.0.1.1; protocol device {} graceful restart wait 6;
protocol kernel { ipv4 { export all; }; merge paths on; graceful restart; }
protocol kernel { ipv6 { export all; }; merge paths on; graceful restart; }'
	babel wan0 wan1
	for net in 2 3; do
		echo "protocol bgp from$net { local 10.0.$net.1 as 65001; neighbor 10.0.$net.2 as 6500$net; $bird_session
			ipv4 { import all; export none; }; ipv6 { import all; export none; }; }"
	done
} > "$T/bird.r.conf"

learned()
{
	ctl_json "sum(r['protocol'] == 'bird' and r['state'] == 'active' and r['dst'].startswith(('20.', '2001:db8:8'))
		for r in d)" show routes
}
paths() # DEVICES: all the routes of BGP are there, and lead over these
{
	[ "$(learned)" = $((routes4 + routes6)) ] || { echo "$(learned) routes"; return 1; }
	routing_over "$1" 20.0.0.1 20.0.1.1 20.3.231.1 2001:db8:8000::1 2001:db8:812b::1
}
babels() # DEVICE ADDR...: Babel's routes to these
{
	routing_over "$@" && return
	birds r show babel neighbors
	birds r show babel interfaces
	return 1
}
both_families=(21.1.0.1 2001:db8:f000::1)

router_start "$routing_yaml"
bird b
bird_b=$!
bird r
bird_r=$!
check "BGP: all is learned from b" eventually 20 paths wan0
check "Babel: and its routes, too" eventually 10 babels wan0 "${both_families[@]}"
bird c
check "all is learned from c as well: two paths" eventually 20 paths "wan0 wan1"
check "the table is Linux's" eventually 5 routing_same 1000
check "Babel: c's route" eventually 10 babels wan1 21.3.0.1
check "Babel: b's route answers" eventually 5 ns a ping -q -c 1 -W 1 21.2.0.1
check "Babel: IPv6 answers" eventually 5 ns a ping -q -c 1 -W 1 2001:db8:f000::1

# ---- ECMP changes, and flaps
stream_begin
birds c disable peer > "$T/seen"
check "c's session ends: the routes lead over b" eventually 10 paths wan0
check "the table is Linux's" eventually 5 routing_same 1000
birds c enable peer > "$T/seen"
check "it is back: over both" eventually 20 paths "wan0 wan1"
for _ in 1 2 3 4 5; do
	birds c disable bgp4 > "$T/seen"
	birds b disable own4 > "$T/seen"
	sleep 0.2
	birds c enable bgp4 > "$T/seen"
	birds b enable own4 > "$T/seen"
	sleep 0.2
done
check "after flapping it is over both" eventually 10 paths "wan0 wan1"
check "Babel: b's route is back" eventually 10 babels wan0 21.2.0.1
stream_end "sessions and prefixes come and go" 0
check "the table is Linux's" eventually 5 routing_same 1000

# ---- b's BIRD is killed: BGP keeps its routes for grace, Babel moves over to c
stream_begin
kill -9 $bird_b
check "b's BIRD is killed: Babel's routes lead over c" eventually 15 babels wan1 "${both_families[@]}"
bird b
check "it is back: BGP's over both" eventually 30 paths "wan0 wan1"
stream_end "a peer is killed" 0
check "the table is Linux's" eventually 5 routing_same 1000

# ---- ours is killed: its routes stay in Linux; with -R it waits for its peers before it touches them
stream_begin
kill -9 $bird_r
sleep 0.5
check "BIRD is killed: its routes stay" paths "wan0 wan1"
bird r -R
bird_r=$!
sleep 1
check "it is back: over both" eventually 30 paths "wan0 wan1"
stream_end "BIRD is killed and recovers with grace" 0
check "the table is Linux's" eventually 5 routing_same 1000

# ---- it ends, and takes its routes with it
kill $bird_r
wait $bird_r
check "BIRD ends: its routes go" eventually 10 sh -c \
	"! '$B/routerctl' -R '$ROUTER_DIR' show routes | grep -w bird"
check_not "and lead nowhere" ns a ping -q -c 1 -W 1 20.0.0.1
check "the table is Linux's" eventually 5 routing_same 5
bird r
check "with BIRD they are back" eventually 30 paths "wan0 wan1"
check "the table is Linux's" eventually 5 routing_same 1000
check_conservation
finish
