# shellcheck shell=bash disable=SC2034
# tests/bgp.sh - what the tests with a routing daemon share; after tests/lib.sh. Host b announces a
# table by BGP to a daemon in the router's namespace, whose session runs over the routed port.
#
#   bgp_topo          topo_three, and b answers for every address it announces
#   bgp_announced 4|6 the prefixes, one a line; BGP_ROUTES of IPv4, half as many of IPv6
#   bgp_learned PROTO the router has them all from that protocol
#   bgp_same          the router's main table is Linux's
#   bgp_reached 4|6   every announced prefix answers, and the one after them does not
#   bgp_flap DOWN UP  DOWN and UP in turn for 10 s, with traffic; to the flapping prefix as well
BGP_ROUTES=1000
BGP_FLAP=20.200.0.0/24

bgp_topo()
{
	topo_three || return
	ns b sysctl -qw net.ipv4.icmp_ratelimit=0
	ns a sysctl -qw net.ipv4.ping_group_range='0 0'
	ns b sysctl -qw net.ipv6.icmp.ratelimit=0 net.ipv4.icmp_msgs_per_sec=100000
	ip -n b route add local 20.0.0.0/8 dev lo
	ip -n b -6 route add local 2001:db8:8000::/33 dev lo
}

bgp_announced()
{
	local i
	if [ "$1" = 4 ]; then
		for ((i = 0; i < BGP_ROUTES; i++)); do
			echo "20.$((i >> 8)).$((i & 255)).0/24"
		done
	else
		for ((i = 0; i < BGP_ROUTES / 2; i++)); do
			printf '2001:db8:%x::/48\n' $((0x8000 + i))
		done
	fi
}

bgp_learned()
{
	local want="[$BGP_ROUTES, $((BGP_ROUTES / 2))]" got
	got=$(ctl_json "[sum(r['protocol'] == '$1' and r['state'] == 'active' and
		(':' in r['dst']) == six and r['dst'] != '$BGP_FLAP' for r in d) for six in (0, 1)]" \
		show routes)
	echo "IPv4 and IPv6: $got of $want"
	[ "$got" = "$want" ]
}

# A route as Linux and as the router say it, in the same words: prefix, type, gateways, devices.
bgp_linux()
{
	local family
	for family in 4/32 6/128; do
		ip -n r "-${family%/*}" -j route | json - "'\n'.join(
			r['dst'] + ('' if '/' in r['dst'] else '/${family#*/}') + ' ' +
			' '.join(sorted(h.get('gateway', h.get('via', {}).get('host', '-')) + '@' + h['dev']
				for h in r.get('nexthops', [r]))) for r in d)"
	done | sort
}

bgp_ours()
{
	ctl_json '"\n".join(r["dst"] + " " + " ".join(sorted((h["via"] or "-") + "@" + h["dev"]
		for h in r["nexthops"])) for r in d)' show routes | sort
}

bgp_same()
{
	bgp_linux > "$T/linux"
	bgp_ours > "$T/ours"
	[ "$(wc -l < "$T/linux")" -gt $BGP_ROUTES ] && diff "$T/linux" "$T/ours"
}

bgp_reached()
{
	local next=20.$((BGP_ROUTES >> 8)).$((BGP_ROUTES & 255)).0/24
	[ "$1" = 4 ] || next=$(printf '2001:db8:%x::/48' $((0x8000 + BGP_ROUTES / 2)))
	{ bgp_announced "$1"; echo "$next"; } | ns a python3 -c '
import ipaddress, select, socket, struct, sys, time
hosts = [str(ipaddress.ip_network(line.strip())[1]) for line in sys.stdin]
six = ":" in hosts[0]
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM,
	socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
answered = set()
def listen(seconds):
	while select.select([s], [], [], seconds)[0]:
		answered.add(s.recvfrom(100)[1][0])
for i, host in enumerate(hosts):
	s.sendto(struct.pack("!BBHHH", 128 if six else 8, 0, 0, 1, i & 65535), (host, 0))
	listen(0.0005)
listen(0.5)
missing = [h for h in hosts[:-1] if h not in answered]
print(len(answered), "answer; no answer of", missing[:5])
sys.exit(bool(missing) or hosts[-1] in answered)'
}

bgp_flap()
{
	local until=$((SECONDS + 10)) pids=() to flaps=0
	for to in 20.0.0.1 20.3.231.77 2001:db8:8000::1 2001:db8:81f3::9; do
		# not -w: what is under way at the end would count as lost
		ns_bg a ping -q -i 0.02 -c 440 -W 2 "$to" > "$T/ping-$to"
		pids+=($!)
	done
	# not -w: with it ping ends at the first error it is told of
	ns_bg a timeout -s INT 9 ping -n -i 0.02 -W 1 20.200.0.1 > "$T/ping-flap"
	pids+=($!)
	while [ $SECONDS -lt $until ]; do
		"$1" > "$T/seen" 2>&1
		sleep 0.3
		"$2" > "$T/seen" 2>&1
		sleep 0.3
		flaps=$((flaps + 1))
	done
	wait "${pids[@]}"
	note "$flaps flaps"
	for to in 20.0.0.1 20.3.231.77 2001:db8:8000::1 2001:db8:81f3::9; do
		check "$to: nothing was lost while another route flapped" grep ' 0% packet loss' \
			"$T/ping-$to"
	done
	check "the flapping one: sometimes there" grep -q 'bytes from' "$T/ping-flap"
	check "the flapping one: sometimes not, and it is said" grep -q 'Net Unreachable' "$T/ping-flap"
}
