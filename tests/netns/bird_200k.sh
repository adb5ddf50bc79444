#!/bin/bash
# tests/netns/bird_200k.sh: 200,000 routes by BGP from two peers, under traffic: learned, merged into two paths,
# one path and all withdrawn; BIRD is killed and recovers. The router's table is Linux's after each.
# check: heavy
. "$(dirname "$0")/../load.sh"
. "$(dirname "$0")/../routing.sh"
command -v bird > /dev/null || skip_all "no bird here"

routes4=200000

routing_topo
for n in b c; do
	[ $n = b ] && net=2 || net=3
	{
		echo "router id 10.0.$net.2; protocol device {} protocol static table4 { ipv4;"
		routing_prefixes 4 $routes4 | sed 's/.*/route & blackhole;/'
		echo "} protocol bgp peer { local as 6500$net; neighbor 10.0.$net.1 as 65001; $bird_session
			ipv4 { import none; export all; next hop address 10.0.$net.2; }; }"
	} > "$T/bird.$n.conf"
done
{
	echo 'router id 10.0.1.1; protocol device {} graceful restart wait 60;
protocol kernel { ipv4 { export all; }; merge paths on; graceful restart; }'
	for net in 2 3; do
		echo "protocol bgp from$net { local 10.0.$net.1 as 65001; neighbor 10.0.$net.2 as 6500$net; $bird_session
			ipv4 { import all; export none; }; }"
	done
} > "$T/bird.r.conf"

# paths DEVICES: all the routes, the last of which leads over these
paths()
{
	[ "$(ctl_json 'd["routes_ipv4"] >= '$routes4 show status)" = true ] &&
		routing_over "$1" 20.0.0.1 21.100.100.1 23.13.63.1
}
none()
{
	[ "$(ctl_json 'd["routes_ipv4"] < 100' show status)" = true ]
}
# step WHAT SECONDS CMD...: how long it took
step()
{
	local what=$1 start=${EPOCHREALTIME/./}
	shift
	check "$what" eventually "$@"
	note "$what: $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
}

router_start "$routing_yaml"
load_start 2000 # to b itself: what is learned is no reason to lose any of it
bird r
bird_r=$!
bird b
step "all is learned from b" 60 paths wan0
check "the table is Linux's" eventually 10 routing_same $routes4
stream_begin 20.0.0.1 20.0.1.77 21.100.100.1 23.13.63.1
bird c
step "all is learned from c: two paths" 60 paths "wan0 wan1"
check "the table is Linux's" eventually 10 routing_same $routes4
birds c disable peer > "$T/seen"
step "c withdraws: over b" 60 paths wan0
birds c enable peer > "$T/seen"
step "and announces: over both" 60 paths "wan0 wan1"
kill -9 $bird_r
bird r -R
bird_r=$!
recovered()
{
	birds r show status | grep 'up and running' && ! birds r show status | grep -i graceful
}
step "BIRD is killed and recovers" 90 recovered
step "the routes lead over both" 60 paths "wan0 wan1"
check "the table is Linux's" eventually 10 routing_same $routes4
stream_end "200,000 routes come from one, from another, go, come again, and are recovered" 0
kill $bird_r
step "BIRD ends and withdraws all" 60 none
check "the table is Linux's" eventually 10 routing_same 5
load_stop
is "nothing was lost beside" "$((load_sent - load_got))" 0
check_conservation
finish
