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
		echo "} protocol bgp peer { local as 6500$net; neighbor 10.0.$net.1 as 65001; connect delay time 1;
			graceful restart; ipv4 { import none; export all; next hop address 10.0.$net.2; }; }"
	} > "$T/bird.$n.conf"
done
{
	echo 'router id 10.0.1.1; protocol device {} graceful restart wait 20;
protocol kernel { ipv4 { export all; }; merge paths on; graceful restart; }'
	for net in 2 3; do
		echo "protocol bgp from$net { local 10.0.$net.1 as 65001; neighbor 10.0.$net.2 as 6500$net;
			connect delay time 1; graceful restart; ipv4 { import all; export none; }; }"
	done
} > "$T/bird.r.conf"

bird() # NS ARGS...
{
	local n=$1
	shift
	rm -f "$T/bird.$n.ctl"
	ns_bg "$n" bird -f -c "$T/bird.$n.conf" -s "$T/bird.$n.ctl" "$@" 2>> "$T/bird.$n.log"
}
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
birdc -s "$T/bird.c.ctl" disable peer > "$T/seen"
step "c withdraws: over b" 60 paths wan0
birdc -s "$T/bird.c.ctl" enable peer > "$T/seen"
step "and announces: over both" 60 paths "wan0 wan1"
stream_end "200,000 routes come from one, from another, go and come again" 0
# What is lost from here on is BIRD's affair: if its peers are late, it withdraws all at first.
kill -9 $bird_r
bird r -R
bird_r=$!
recovered()
{
	birdc -s "$T/bird.r.ctl" show status | grep 'up and running' && ! birdc -s "$T/bird.r.ctl" show status |
		grep -i graceful
}
step "BIRD is killed and recovers" 60 recovered
step "the routes lead over both" 60 paths "wan0 wan1"
check "the table is Linux's" eventually 10 routing_same $routes4
kill $bird_r
step "BIRD ends and withdraws all" 60 none
check "the table is Linux's" eventually 10 routing_same 5
load_stop
is "nothing was lost beside" "$((load_sent - load_got))" 0
check_conservation
finish
