# shellcheck shell=bash
# tests/peers.sh - hosts that talk through the router, for tests of flows. Source it after lib.sh.
#
#   serve NS tcp:PORT[-PORT]|udp:PORT[-PORT]...      answers there; $! is its pid
#   ask NS tcp|udp ADDR PORT [OPTION...]             whom the server saw, or why not; see peer.py
#   answers WHAT NS tcp|udp ADDR PORT WANT [OPTION...]   checks what ask prints
#   hold NAME NS tcp|udp ADDR PORT COUNT [OPTION...] conversations that stay, under a name
#   again NAME                                       each of them says something: "ANSWERED OTHERS"
#                                                    (why some are not: in $T/hold.NAME.err)
#   hold_end NAME
#   zones_topo                                       a - lan0 [r] wan0 - b, and g - guest0 [r]
#   nat_topo                                         a, c - [r] - x - b: see there
#   reload_with                                      the configuration on stdin becomes the one
#   rule NAME KEY                                    a number of `show filter --expanded`
peer=(/usr/bin/python3 "$lib_top/tests/tools/peer.py")
declare -A hold_in=() hold_out=() hold_pid=()

serve()
{
	local n=$1 log
	shift
	log=$(mktemp -p "$T" serve.XXXX)
	ns_bg "$n" "${peer[@]}" serve "$@" > "$log" 2>&1
	eventually 10 grep -q ready "$log" > /dev/null || not_ok "the server in $n starts" "$(cat "$log")"
}

ask()
{
	ns "$1" "${peer[@]}" "${@:2}" 2>&1
}

answers()
{
	local wait=2
	[ "$6" != silent ] || wait=0.3
	is "$1" "$(ask "$2" "$3" "$4" "$5" --wait $wait "${@:7}" | cut -d' ' -f1)" "$6"
}

hold()
{
	local in out name=$1
	in=$T/hold.$name.in out=$T/hold.$name.out
	rm -f "$in" "$out"
	mkfifo "$in" "$out"
	nsenter --net="/run/netns/$2" -- "${peer[@]}" hold "$3" "$4" "$5" --count "$6" "${@:7}" \
		< "$in" > "$out" 2> "$T/hold.$name.err" &
	hold_pid[$name]=$!
	exec {in}> "$in" {out}< "$out"
	hold_in[$name]=$in hold_out[$name]=$out
	read -r -t 60 -u $out hold_ready
	[ "$hold_ready" = "ready $6" ] || { echo "of $6: $hold_ready"; return 1; }
}

again()
{
	local line
	echo >&"${hold_in[$1]}"
	read -r -t 60 -u "${hold_out[$1]}" line
	echo "$line"
}

hold_end()
{
	local in=${hold_in[$1]} out=${hold_out[$1]}
	exec {in}>&- {out}<&-
	kill "${hold_pid[$1]}"
	wait "${hold_pid[$1]}" 2> "$T/ended"
}

# zones_topo: topo_three, and a host g at guest0: 10.0.3.2/24 and 2001:db8:3::2/64.
zones_topo()
{
	topo_three && ns_add g && veth g g0 r guest0 || return
	host_addr g g0 10.0.3.2/24 2001:db8:3::2/64 &&
		host_addr r guest0 10.0.3.1/24 2001:db8:3::1/64 || return
	ip -n g route add default via 10.0.3.1 && ip -n g -6 route add default via 2001:db8:3::1
}

reload_with()
{
	cat > "$CONF"
	ctl reload --wait
}

rule()
{
	ctl_json "sum(r['$2'] for r in d if r['rule'] == '$1')" show filter --expanded
}

# nat_topo: two inside hosts, the router, a Linux router x of the outside, and an outside host:
#   a 10.0.1.2    fd00:1::2 - lan0 [r]       wan0 203.0.113.2 2001:db8:a::2 - x - b 198.51.100.2,.3,.4
#   c 10.0.3.2,.4 fd00:3::2 - lan1 [r]               x: 203.0.113.1, ::1            2001:db8:b::2,::3,::4
# x knows 192.0.2.0/24 and 2001:db8:c::/64 by way of r, and nothing of the inside.
nat_topo()
{
	ns_add a c r x b || return
	veth a a0 r lan0 && veth c c0 r lan1 && veth r wan0 x x0 && veth x x1 b b0 || return
	host_addr a a0 10.0.1.2/24 fd00:1::2/64 && host_addr r lan0 10.0.1.1/24 fd00:1::1/64 &&
		host_addr c c0 10.0.3.2/24 10.0.3.4/24 fd00:3::2/64 &&
		host_addr r lan1 10.0.3.1/24 fd00:3::1/64 &&
		host_addr r wan0 203.0.113.2/24 2001:db8:a::2/64 &&
		host_addr x x0 203.0.113.1/24 2001:db8:a::1/64 &&
		host_addr x x1 198.51.100.1/24 2001:db8:b::1/64 &&
		host_addr b b0 198.51.100.{2,3,4}/24 2001:db8:b::{4,3,2}/64 || return
	ns x sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
	ip -n a route add default via 10.0.1.1 && ip -n a -6 route add default via fd00:1::1
	ip -n c route add default via 10.0.3.1 && ip -n c -6 route add default via fd00:3::1
	nat_wan_routes
	ip -n b route add default via 198.51.100.1 && ip -n b -6 route add default via 2001:db8:b::1
	ip -n x route add 192.0.2.0/24 via 203.0.113.2
	ip -n x -6 route add 2001:db8:c::/64 via 2001:db8:a::2
}

nat_wan_routes()
{
	ip -n r route replace default via 203.0.113.1 && ip -n r -6 route replace default via 2001:db8:a::1
}
