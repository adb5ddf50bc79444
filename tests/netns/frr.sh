#!/bin/bash
# tests/netns/frr.sh: FRR in the router's namespace learns a table by BGP over a routed port, and
# installs it by nexthop objects; the router forwards by it.
. "$(dirname "$0")/../lib.sh"
. "$lib_top/tests/bgp.sh"
frr=/usr/lib/frr
[ -x $frr/bgpd ] || skip_all "no FRR here"

# frr_start NS DAEMON ARGS...: in the foreground of FRR, under a name for its sockets of its own.
frr_start()
{
	local n=$1 daemon=$2
	shift 2
	install -d -o frr -g frr "/run/frr/$n"
	ns_bg "$n" "$frr/$daemon" -N "$n" -f "$T/$daemon.$n.conf" --log stdout "$@" \
		> "$T/$daemon.$n.log" 2>&1
}

bgp_topo
{
	echo 'router bgp 65002
 bgp router-id 10.0.2.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 10.0.2.1 remote-as 65001
 neighbor 10.0.2.1 timers connect 1
 neighbor 10.0.2.1 advertisement-interval 0
 address-family ipv4 unicast'
	bgp_announced 4 | sed 's/^/  network /'
	echo "  network $BGP_FLAP
 exit-address-family
 address-family ipv6 unicast
  neighbor 10.0.2.1 activate
  neighbor 10.0.2.1 route-map six out"
	bgp_announced 6 | sed 's/^/  network /'
	echo ' exit-address-family
route-map six permit 10
 set ipv6 next-hop global 2001:db8:2::2'
} > "$T/bgpd.b.conf"
echo 'no ip forwarding
no ipv6 forwarding' > "$T/zebra.r.conf"
cat > "$T/bgpd.r.conf" << 'EOF'
router bgp 65001
 bgp router-id 10.0.2.1
 no bgp ebgp-requires-policy
 neighbor 10.0.2.2 remote-as 65002
 neighbor 10.0.2.2 timers connect 1
 address-family ipv4 unicast
  neighbor 10.0.2.2 route-map nothing out
 exit-address-family
 address-family ipv6 unicast
  neighbor 10.0.2.2 activate
  neighbor 10.0.2.2 route-map nothing out
 exit-address-family
route-map nothing deny 10
EOF
router_start
frr_start r zebra
check "zebra is up" eventually 10 test -S /run/frr/r/zserv.api
frr_start r bgpd
bgpd_r=$!
frr_start b bgpd -Z
check "the router learns $BGP_ROUTES routes, and IPv6's" eventually 40 bgp_learned bgp
check "its table is Linux's" eventually 5 bgp_same
check "by nexthop objects" sh -c 'ip -n r route show 20.0.0.0/24 | grep nhid'
for to in 20.0.0.1 20.1.2.3 20.3.231.255 2001:db8:8000::1 2001:db8:81f3:ffff::; do
	check "$to is reached" eventually 5 ns a ping -q -c 1 -W 1 $to
done

check "IPv4: every prefix leads there, and no other" bgp_reached 4
check "IPv6: every prefix leads there, and no other" bgp_reached 6

announce()
{
	vtysh -N b -c 'configure terminal' -c 'router bgp 65002' -c 'address-family ipv4 unicast' \
		-c "$1 network $BGP_FLAP"
}
down()
{
	announce no
}
up()
{
	announce ''
}
bgp_flap down up
check "after all the flapping it is there" eventually 5 ns a ping -q -c 1 -W 1 20.200.0.1
check "and so are the others" bgp_reached 4
check "the table is Linux's" eventually 5 bgp_same

kill $bgpd_r
wait $bgpd_r
check "without bgpd its routes are gone" eventually 10 sh -c \
	"! '$B/routerctl' -R '$ROUTER_DIR' show routes | grep -w bgp"
check_not "and lead nowhere" ns a ping -q -c 1 -W 1 20.0.0.1
frr_start r bgpd
check "with bgpd again they are back" eventually 40 bgp_learned bgp
check "the table is Linux's again" eventually 5 bgp_same
check "IPv4: they are used" bgp_reached 4
check "IPv6: they are used" bgp_reached 6
check_conservation
finish
