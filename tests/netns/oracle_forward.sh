#!/bin/bash
# tests/netns/oracle_forward.sh: the kernel as oracle of forwarding. One generated script of packets of both
# families, right and wrong in every way, goes through a Linux router and through ours; what leaves, by
# whatever link, must be the same but for what tests/tools/forward_oracle/differences.c lists. Three times:
# as the router is by default, with rules that stop nothing, and with all that may be allowed. Before it,
# redirects and neighbours that do not exist.
# ORACLE_PACKETS: so many (100000) each time; ORACLE_SEED: others than last time; ORACLE_ARGS: more for
# forward_oracle, as "--first 4711 --packets 1" for what a report names. From 100000 on a listed difference
# must be met.
# check: heavy
. "$(dirname "$0")/../lib.sh"
packets=${ORACLE_PACKETS:-100000}
seed=${ORACLE_SEED:-1}
links=(lan wan dmz)
mtus=(1700 1400 1280)

# ---- two routers, k and r, whose cables end here
sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ns_add k r
cable() # NS DEV HERE NUMBER MTU
{
	ip link add "$3" numrxqueues 1 numtxqueues 1 mtu 1774 type veth \
		peer name "$2" address "02:00:00:00:0$4:01" numrxqueues 1 numtxqueues 1 mtu "$5" netns "$1" || return
	ip link set "$3" up && ethtool -K "$3" tx off > "$T/seen" && ns "$1" ethtool -K "$2" tx off > "$T/seen"
	ip -n "$1" link set "$2" addrgenmode none up && host_addr "$1" "$2" "10.0.$4.1/24" "2001:db8:a$4::1/64" \
		"fe80::a$4:1/64"
}
# A link's neighbours, and what is behind one of them.
hosts() # DEV NUMBER
{
	local h mac
	for h in {2..251}; do
		printf -v mac 02:00:00:00:0%d:%02x "$2" "$h"
		echo "neigh add 10.0.$2.$h lladdr $mac nud permanent dev $1"
		[ "$h" -lt 10 ] || continue
		echo "neigh add 2001:db8:a$2::$h lladdr $mac nud permanent dev $1"
		echo "neigh add fe80::$h lladdr $mac nud permanent dev $1"
	done
	echo "route add 10.$2.0.0/16 via 10.0.$2.2"
	echo "route add 2001:db8:$2::/48 via 2001:db8:a$2::2"
}
routes()
{
	cat << 'END'
addr add 10.9.9.9/32 dev lo
addr add 2001:db8:99::9/128 dev lo
addr add 10.0.20.0/31 dev wan
neigh add 10.0.20.1 lladdr 02:00:00:00:02:20 nud permanent dev wan
route add blackhole 10.50.0.0/16
route add unreachable 10.51.0.0/16
route add prohibit 10.52.0.0/16
route add throw 10.53.0.0/16
route add 10.54.0.0/16 via 10.0.2.2 mtu lock 700
route add 10.55.0.0/16 via 10.0.3.2 mtu 576
route add 10.56.0.0/16 via 10.0.3.3 mtu lock 68
route add 10.60.0.0/16 dev dmz
route add 10.61.0.0/16 via 10.0.2.252
route add 10.59.0.0/16 via inet6 2001:db8:a2::2 dev wan
route add 0.0.0.0/8 via 10.0.2.3
route add 240.0.0.0/4 via 10.0.2.3
route add 169.254.0.0/16 via 10.0.2.3
route add blackhole 2001:db8:50::/48
route add unreachable 2001:db8:51::/48
route add prohibit 2001:db8:52::/48
route add throw 2001:db8:53::/48
route add 2001:db8:54::/48 via 2001:db8:a2::2 mtu lock 1320
route add 2001:db8:55::/48 via 2001:db8:a2::2 mtu 1300
route add 2001:db8:60::/48 dev dmz
route add 2001:db8:61::/48 via 2001:db8:a2::fc
route add 2001:db8:59::/48 via fe80::2 dev wan
route add fc00::/7 via 2001:db8:a2::3
route add fec0::/10 via 2001:db8:a2::3
route add ::ffff:0:0/96 via 2001:db8:a2::3
route add ::10.0.0.0/104 via 2001:db8:a2::3
END
}
for n in k r; do
	ns $n sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_ratemask=0 net.ipv6.icmp.ratelimit=0 \
		net.ipv6.icmp.ratemask= net.ipv4.conf.{all,default}.{rp_filter,send_redirects,shared_media,accept_redirects}=0 \
		net.ipv6.conf.{all,default}.accept_redirects=0 net.ipv6.auto_flowlabels=0 net.ipv4.ipfrag_time=600 \
		net.ipv6.ip6frag_time=600 net.ipv{4.ip,6.ip6}frag_high_thresh=268435456
	routes > "$T/ip.batch"
	for i in 0 1 2; do
		check "$n has its link ${links[i]}" cable $n "${links[i]}" "$n-${links[i]}" $((i + 1)) "${mtus[i]}"
		hosts "${links[i]}" $((i + 1)) >> "$T/hosts.batch"
	done
	cat "$T/hosts.batch" "$T/ip.batch" > "$T/all.batch"
	rm "$T/hosts.batch"
	check "$n has its routes and neighbours" ip -n $n -batch "$T/all.batch"
done
ns k sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1

# conf INTERFACE ROUTING: keys of each interface, and lines of routing
conf()
{
	printf 'version: 1\nrouter: {workers: {count: 1}}\ninterfaces:\n'
	printf "  %s: {$1}\n" "${links[@]}"
	printf 'routing:\n  icmp-errors: {rate: 1000000, burst: 1000000, per-destination: 1000000}\n%b' "$2"
}
conf 'redirects: false' '' > "$T/closed.yaml"
conf 'redirects: false, directed-broadcast: true' '  martians: allow\n  source-route: forward\n' > "$T/open.yaml"
conf 'redirects: true' '' > "$T/redirects.yaml"
router_start "$T/redirects.yaml"

# routers CONF SYSCTL...: both do as the file and Linux's interfaces say.
routers()
{
	local i v
	for i in all "${links[@]}"; do
		for v in "${@:2}"; do
			ns k sysctl -qw "net.ipv4.conf.$i.$v" || return
		done
	done
	cp "$1" "$CONF" && ctl reload --wait
}
# compare WHAT [ARG...]
compare()
{
	local what=$1
	shift
	if "$B/tests/tools/forward_oracle" "$@" > "$T/oracle.out" 2>&1; then
		ok "$what: the routers agree"
	else
		not_ok "$what: the routers agree"
	fi
	sed '/accepted: 0/d; s/^/# /' "$T/oracle.out"
}

for i in all "${links[@]}"; do
	ns k sysctl -qw "net.ipv4.conf.$i.send_redirects=1"
done
compare redirects --part redirects
check "nobody is redirected from now on" routers "$T/closed.yaml" send_redirects=0
compare neighbours --part neighbours
stale=
[ "$packets" -lt 100000 ] || stale=--stale
# shellcheck disable=SC2086 # ORACLE_ARGS: some words, or none
compare script --packets "$packets" --seed "$seed" $stale ${ORACLE_ARGS:-}

note "ours asks rules what to do"
cp "$T/closed.yaml" "$T/rules.yaml"
echo 'filter: {raw: {hook: prerouting, priority: raw, rules: [{name: all, action: notrack}]}}' >> "$T/rules.yaml"
check "ours takes rules" routers "$T/rules.yaml"
# shellcheck disable=SC2086
compare rules --rules --packets "$packets" --seed "$seed" $stale ${ORACLE_ARGS:-}

note "routers that forward martians, source routes and directed broadcasts"
check "both take it" routers "$T/open.yaml" accept_source_route=1 bc_forwarding=1
# shellcheck disable=SC2086
compare open --open --packets "$packets" --seed "$seed" $stale ${ORACLE_ARGS:-}
check_conservation
finish
