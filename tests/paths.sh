# shellcheck shell=bash
# tests/paths.sh - what the tests of groups of next hops share; after tests/lib.sh: several paths from the
# router to one host, who is 192.0.2.1 and 2001:db8:f::1.
#
#     [a] a0 -- lan0 [r] wan0 -- b0 [b]
#                        wan1 -- b1 ...
#
#   paths_topo N            the above with N paths; a's default route leads to r, b answers by the first
#   a is 10.0.1.2, 2001:db8:1::2, path i is 10.0.(i+2).1 to .2 and 2001:db8:(i+2)::1 to ::2. In r there
#   is no route over the paths yet.

paths_topo()
{
	local i
	ns_add a r b && veth a a0 r lan0 &&
		host_addr a a0 10.0.1.2/24 2001:db8:1::2/64 &&
		host_addr r lan0 10.0.1.1/24 2001:db8:1::1/64 || return
	for ((i = 0; i < $1; i++)); do
		veth r wan$i b b$i &&
			host_addr r wan$i 10.0.$((i + 2)).1/24 2001:db8:$((i + 2))::1/64 &&
			host_addr b b$i 10.0.$((i + 2)).2/24 2001:db8:$((i + 2))::2/64 || return
	done
	host_addr b lo 192.0.2.1/32 2001:db8:f::1/128 &&
		ip -n b route add 10.0.1.0/24 via 10.0.2.1 &&
		ip -n b -6 route add 2001:db8:1::/64 via 2001:db8:2::1 &&
		ip -n a route add default via 10.0.1.1 &&
		ip -n a -6 route add default via 2001:db8:1::1 || return
	ns b sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.icmp_ratemask=0
	ns b nft -f - <<- 'EOF'
		# what nobody listens for is dropped quietly
		table inet quiet {
			chain input {
				type filter hook input priority 0
				udp dport 10000-20000 drop
			}
		}
	EOF
}
