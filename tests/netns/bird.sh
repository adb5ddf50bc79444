#!/bin/bash
# tests/netns/bird.sh: BIRD in the router's namespace learns a table by BGP over a routed port, and
# the router forwards by it.
. "$(dirname "$0")/../lib.sh"
. "$lib_top/tests/bgp.sh"
command -v bird > /dev/null || skip_all "no bird here"

bgp_topo
{
	echo 'router id 10.0.2.2; protocol device {}'
	echo 'protocol static { ipv4;'
	bgp_announced 4 | sed 's/.*/route & blackhole;/'
	echo '} protocol static { ipv6;'
	bgp_announced 6 | sed 's/.*/route & blackhole;/'
	echo "} protocol static flapping { ipv4; route $BGP_FLAP blackhole; }"
	echo 'protocol bgp { local as 65002; neighbor 10.0.2.1 as 65001;
		connect delay time 1; connect retry time 2; error wait time 1, 2;
		ipv4 { import none; export all; };
		ipv6 { import none; export all; next hop address 2001:db8:2::2; }; }'
} > "$T/bird.b.conf"
cat > "$T/bird.r.conf" <<'EOF'
router id 10.0.2.1;
protocol device {}
protocol kernel { ipv4 { export all; }; }
protocol kernel { ipv6 { export all; }; }
protocol bgp peer { local as 65001; neighbor 10.0.2.2 as 65002;
	connect delay time 1; connect retry time 2; error wait time 1, 2;
	ipv4 { import all; export none; };
	ipv6 { import all; export none; }; }
EOF
router_start
ns_bg b bird -f -c "$T/bird.b.conf" -s "$T/bird.b.ctl" 2> "$T/bird.b.log"
ns_bg r bird -f -c "$T/bird.r.conf" -s "$T/bird.r.ctl" 2> "$T/bird.r.log"
bird_r=$!
check "the router learns $BGP_ROUTES routes, and IPv6's" eventually 30 bgp_learned bird
check "its table is Linux's" eventually 5 bgp_same
for to in 20.0.0.1 20.1.2.3 20.3.231.255 2001:db8:8000::1 2001:db8:81f3:ffff::; do
	check "$to is reached" eventually 5 ns a ping -q -c 1 -W 1 $to
done

check "IPv4: every prefix leads there, and no other" bgp_reached 4
check "IPv6: every prefix leads there, and no other" bgp_reached 6

down()
{
	birdc -s "$T/bird.b.ctl" disable flapping
}
up()
{
	birdc -s "$T/bird.b.ctl" enable flapping
}
bgp_flap down up
check "after all the flapping it is there" eventually 5 ns a ping -q -c 1 -W 1 20.200.0.1
check "and so are the others" bgp_reached 4
check "the table is Linux's" eventually 5 bgp_same

# the first BIRD leaves: its routes go, and come back with the next
kill $bird_r
wait $bird_r
check "without BIRD its routes are gone" eventually 10 sh -c \
	"! '$B/routerctl' -R '$ROUTER_DIR' show routes | grep bird"
check_not "and lead nowhere" ns a ping -q -c 1 -W 1 20.0.0.1
ns_bg r bird -f -c "$T/bird.r.conf" -s "$T/bird.r.ctl" 2>> "$T/bird.r.log"
check "with BIRD again they are back" eventually 30 bgp_learned bird
check "the table is Linux's" eventually 5 bgp_same
check "IPv4: they are used" bgp_reached 4
check "IPv6: they are used" bgp_reached 6
check_conservation
finish
