# shellcheck shell=bash disable=SC2034,SC2154
# tests/routing.sh - what the tests with several routing daemons share; after tests/lib.sh. Two
# neighbours announce the same prefixes, and both answer for them, so that every packet that is not
# answered was lost on the way:
#
#                            wan0 -- b0 [b]
#     [a] a0 -- lan0 [r]                        20.0.0.0/8, 2001:db8:8000::/33
#                            wan1 -- c0 [c]
#
#   routing_topo            the above; $routing_yaml: the router's configuration
#   routing_prefixes 4|6 N  the first N of them, one a line; at most 200,000 of IPv4, 30,000 of IPv6
#   routing_same [MIN]      the router's main table is Linux's, has MIN routes (100), and all are used
#   routing_over TEXT 4|6   ADDR's route in the router leads over all the devices of TEXT and no other
#   frr_start NS DAEMON ... FRR's daemon with $T/DAEMON.NS.conf, under a name for its sockets
#   bird NS ARGS...         BIRD with $T/bird.NS.conf; $bird_session: what its BGP sessions say of restarts
#   birds NS WORD...        and a request to it
#   stream_begin [ADDR...] | stream_end WHAT MOST
#                           packets to these, or to 20.0.0.1 and five more, until the end: no more than
#                           MOST lost
routing_yaml=$T/routing.yaml
printf 'version: 1\ninterfaces: {lan0: {}, wan0: {}, wan1: {}}\n' > "$routing_yaml"

routing_topo()
{
	local n
	ns_add a r b c || return
	veth a a0 r lan0 && veth r wan0 b b0 && veth r wan1 c c0 || return
	host_addr a a0 10.0.1.2/24 2001:db8:1::2/64 && host_addr r lan0 10.0.1.1/24 2001:db8:1::1/64 &&
		host_addr r wan0 10.0.2.1/24 2001:db8:2::1/64 &&
		host_addr r wan1 10.0.3.1/24 2001:db8:3::1/64 &&
		host_addr b b0 10.0.2.2/24 2001:db8:2::2/64 &&
		host_addr c c0 10.0.3.2/24 2001:db8:3::2/64 || return
	ip -n a route add default via 10.0.1.1 && ip -n a -6 route add default via 2001:db8:1::1
	for n in b c; do
		ip -n $n route add 10.0.1.0/24 via "$([ $n = b ] && echo 10.0.2.1 || echo 10.0.3.1)"
		ip -n $n -6 route add 2001:db8:1::/64 \
			via "$([ $n = b ] && echo 2001:db8:2::1 || echo 2001:db8:3::1)"
		ip -n $n rule add pref 32000 table main # so that local and main are two tables
		ip -n $n route add local 20.0.0.0/8 dev lo
		ip -n $n route add local 21.0.0.0/8 dev lo
		ip -n $n route add local 22.0.0.0/7 dev lo
		ip -n $n -6 route add local 2001:db8:8000::/33 dev lo
		ns $n sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 \
			net.ipv4.icmp_msgs_per_sec=100000
	done
	ns r sysctl -qw net.ipv6.route.max_size=2147483647
	eventually 10 routing_addresses
}

# Daemons that begin while link-local addresses are tentative may do without that interface.
routing_addresses()
{
	local n
	for n in r b c; do
		ip -n $n -6 addr show tentative | grep inet6 && return 1
	done
	return 0
}

routing_prefixes()
{
	if [ "$1" = 4 ]; then
		awk -v n="$2" 'BEGIN { for (i = 0; i < n; i++)
			printf "%d.%d.%d.0/24\n", 20 + i / 65536, i / 256 % 256, i % 256 }'
	else
		awk -v n="$2" 'BEGIN { for (i = 0; i < n; i++) printf "2001:db8:%x::/48\n", 32768 + i }'
	fi
}

# A route as Linux and as the router say it, in the same words: prefix, then gateway@device of each hop.
routing_linux()
{
	local family
	for family in 4 6; do
		ip -n r -o "-$family" route | awk -v bits=/$((family == 4 ? 32 : 128)) '
		{
			at = $1 ~ /^[a-z]+$/ && $1 != "default" ? 2 : 1
			dst = $at == "default" ? (bits == "/32" ? "0.0.0.0/0" : "::/0") : $at
			dst = dst (dst ~ /\// ? "" : bits)
			n = 0
			via = "-"
			for (i = at + 1; i < NF; i++) {
				if ($i == "via")
					via = $(i + 1) ~ /^inet6?$/ ? $(i + 2) : $(i + 1)
				if ($i == "dev") {
					hop[n++] = via "@" $(i + 1)
					via = "-"
				}
			}
			for (i = 0; i < n; i++)
				print dst, hop[i]
		}'
	done | LC_ALL=C sort
}

routing_ours()
{
	ctl -j show routes | awk '
	{
		match($0, /"dst": *"[^"]*"/)
		dst = substr($0, RSTART, RLENGTH)
		gsub(/^"dst": *"|"$/, "", dst)
		state = $0 ~ /"state": *"active"[^}\]]*$/ || $0 ~ /"state": *"active", *"nhid/ ? "" : "!"
		rest = $0
		while (match(rest, /"via": *("[^"]*"|null), *"dev": *"[^"]*"/)) {
			hop = substr(rest, RSTART, RLENGTH)
			rest = substr(rest, RSTART + RLENGTH)
			via = hop ~ /null/ ? "-" : hop
			sub(/^"via": *"/, "", via)
			sub(/".*/, "", via)
			sub(/.*"dev": *"/, "", hop)
			sub(/"$/, "", hop)
			print dst, via "@" hop
		}
	}' | LC_ALL=C sort
}

routing_same()
{
	routing_linux > "$T/linux"
	routing_ours > "$T/ours"
	[ "$(wc -l < "$T/linux")" -ge "${1:-100}" ] && cmp "$T/linux" "$T/ours" && return
	wc -l "$T/linux" "$T/ours"
	diff "$T/linux" "$T/ours" | head -n 20
	return 1
}

# routing_over "DEV..." ADDR...
routing_over()
{
	local want=$1 to got
	shift
	for to in "$@"; do
		got=$(ctl_json '" ".join(sorted(h["dev"] for r in d for h in r["nexthops"]))' show routes for "$to")
		[ "$got" = "$want" ] || { echo "$to: over $got"; return 1; }
	done
}

# frr_start NS DAEMON ARGS...: in the foreground of FRR
frr_start()
{
	local n=$1 daemon=$2
	shift 2
	install -d -o frr -g frr "/run/frr/$n"
	ns_bg "$n" "/usr/lib/frr/$daemon" -N "$n" -f "$T/$daemon.$n.conf" --log stdout "$@" \
		>> "$T/$daemon.$n.log" 2>&1
}

# Who is refused, as its last session is being taken down, tries again soon: by default after a minute
# or more.
bird_session='connect delay time 1; connect retry time 2; error wait time 1, 2; graceful restart;'

bird()
{
	local n=$1
	shift
	rm -f "$T/bird.$n.ctl"
	ns_bg "$n" bird -f -c "$T/bird.$n.conf" -s "$T/bird.$n.ctl" "$@" 2>> "$T/bird.$n.log"
}

birds()
{
	birdc -s "$T/bird.$1.ctl" "${@:2}"
}

# Echo requests every 10 ms to each address, as one process: what was sent, answered, in how long a gap.
cat > "$T/stream.py" << 'EOF'
import json, select, signal, socket, struct, sys, time
going = True
def stop(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, stop)
socks = []
for i, to in enumerate(sys.argv[1:]):
    six = ":" in to
    s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM,
        socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    s.connect((to, 0))
    s.setblocking(False)
    socks.append((s, 128 if six else 8, to))
sent, lost = {}, {to: 0 for to in sys.argv[1:]}
answered, seq, end = 0, 0, None
def listen(until):
    global answered
    while (left := until - time.monotonic()) > 0:
        for s in select.select([s for s, _, _ in socks], [], [], left)[0]:
            try:
                got = s.recv(64)
            except OSError:
                continue
            if got[0] in (0, 129) and sent.pop((s, struct.unpack("!H", got[6:8])[0]), None):
                answered += 1
print("ready", flush=True)
t = time.monotonic()
while going:
    seq += 1
    for s, kind, _ in socks:
        try:
            s.send(struct.pack("!BBHHH", kind, 0, 0, 1, seq & 65535))
        except OSError:
            pass
        sent[(s, seq & 65535)] = t
    t = max(t + 0.01, time.monotonic() - 0.1)
    listen(t)
listen(time.monotonic() + 0.5)
name = {s: to for s, _, to in socks}
for (s, _) in sent:
    lost[name[s]] += 1
print(json.dumps({"answered": answered, "lost": sum(lost.values()), "of": lost}))
EOF

stream_begin()
{
	ns a sysctl -qw net.ipv4.ping_group_range='0 2147483647'
	[ $# != 0 ] || set -- 20.0.0.1 20.0.1.77 20.0.0.200 20.0.1.3 2001:db8:8000::1 2001:db8:8001::1
	ns_bg a python3 "$T/stream.py" "$@" > "$T/stream"
	stream=$!
	eventually 5 grep -q ready "$T/stream"
}

stream_end()
{
	local said
	kill "$stream"
	wait "$stream"
	said=$(tail -n 1 "$T/stream")
	note "$1: $said"
	check "$1: no more than $2 packets lost" \
		[ "$(json - 'd["lost"] if d["answered"] > 100 else 10**9' <<< "$said")" -le "$2" ]
}
