# shellcheck shell=bash disable=SC2034,SC2154
# tests/soak_world.sh - the world of tests/soak: hosts around a router, its configurations, traffic.
# Source it after lib.sh and peers.sh.
#
#   dice N                       a number below N in $die, out of the seed
#   world_make                   a - lan0 [r] wan0 - b, and g - guest0 [r]; two queues a cable
#   port_make DEV                a port and its cable, new; what was there goes
#   port_again DEV               puts back what Linux forgets of a port whose link was down
#   conf_set FEATURE...          the configuration becomes the one with these, of $features
#   traffic_start | traffic_stop | storm_start DEV | storm_stop DEV
#   hush | unhush                the hosts are silent, for the books to stand still
#
# A feature is a file of tests/soak.d, which the configuration includes.

# the router's port -> namespace and device at the other end, number of its networks
declare -A far=([lan0]="a a0 1" [wan0]="b b0 2" [guest0]="g g0 3")
ports=(lan0 wan0 guest0)
features=(nat zones filter shape ingress copies kernel standin) # and reopen
storm_rate=${SOAK_RATE:-1000}                           # packets a second and host
declare -A storm_pid=()
traffic_pids=()

dice()
{
	die=$((RANDOM % $1))
}

# ---- hosts and cables
far_of()
{
	read -r far_ns far_dev far_net <<< "${far[$1]}"
}

# Linux's own packets are counted apart: AF_XDP does not pass by the egress hook.
count_own()
{
	ns r nft -f - <<- END
	table netdev own_$1 {
		chain out {
			type filter hook egress device $1 priority 0
			counter
		}
	}
	END
}

port_again()
{
	far_of "$1"
	ip -n r link set "$1" up && ip -n "$far_ns" link set "$far_dev" up
	ip -n "$far_ns" route replace default via 10.0.$far_net.1
	ip -n "$far_ns" -6 route replace default via 2001:db8:$far_net::1
	[ "$1" = wan0 ] || return 0
	ip -n r route replace 10.50.0.0/16 via 10.0.2.2
	ip -n r route replace 10.54.0.0/16 via 10.0.2.250 # nobody is there
	ip -n r -6 route replace 2001:db8:50::/48 via 2001:db8:2::2
	ip -n r -6 route replace 2001:db8:54::/48 via 2001:db8:2::250
}

# A host knows a port by its MAC address all the time, whatever becomes of the port.
port_make()
{
	far_of "$1"
	ip -n r link del "$1" 2> "$T/seen"
	ns r nft delete table netdev "own_$1" 2> "$T/seen"
	veth "$far_ns" "$far_dev" r "$1" 2 || return
	ip -n r link set "$1" address "02:00:00:00:0$far_net:01"
	host_addr "$far_ns" "$far_dev" "10.0.$far_net.2/24" "2001:db8:$far_net::2/64" &&
		host_addr r "$1" "10.0.$far_net.1/24" "2001:db8:$far_net::1/64" && count_own "$1" &&
		port_again "$1"
}

world_make()
{
	local n dev
	ns_add a b g r || return
	for n in a b g r; do
		ns $n sysctl -qw net.ipv6.conf.default.keep_addr_on_down=1 \
			net.ipv6.conf.all.keep_addr_on_down=1 net.ipv4.conf.all.accept_redirects=0 \
			net.ipv6.conf.default.accept_redirects=0 || return
	done
	for dev in "${ports[@]}"; do
		port_make "$dev" || return
	done
	for n in blackhole:51 unreachable:52 prohibit:53; do
		ip -n r route add ${n%:*} 10.${n#*:}.0.0/16 &&
			ip -n r -6 route add ${n%:*} 2001:db8:${n#*:}::/48 || return
	done
	for n in a b g; do
		serve $n tcp:7000 udp:7000
	done
}

# ---- configurations
conf_set()
{
	local f
	mkdir -p "$T/conf.d"
	rm -f "$T"/conf.d/*
	for f in "$@"; do
		cp "$lib_top/tests/soak.d/$f.yaml" "$T/conf.d/"
	done
	cat > "$T/soak.yaml" <<- END
	version: 1
	include: [conf.d/*.yaml]
	router: {workers: {count: 2}}
	interfaces: {lan0: {}, wan0: {}, guest0: {}}
	conntrack: {timeouts: {fragment: 2s, udp: 20s, tcp-syn-sent: 5s, icmp: 5s}}
	END
	[ -z "${CONF:-}" ] || cp "$T/soak.yaml" "$CONF"
}

# ---- traffic, for as long as a round takes
# from and to: hosts, ports that are NAT's, routes of every kind, nobody at all, and the router itself
storm_start()
{
	local from to
	far_of "$1"
	case $1 in
	lan0) from=10.0.1.2,10.0.1.7,10.99.3.4,192.0.2.9,2001:db8:1::2,2001:db8:1::7,2001:db8:bad::1
		to=10.0.2.2,10.0.2.2,10.0.3.2,10.50.0.1,10.51.0.1,10.54.0.1,2001:db8:2::2,2001:db8:3::2 ;;
	wan0) from=10.0.2.2,10.50.0.1,2001:db8:2::2,2001:db8:50::1
		to=10.0.2.1,10.0.2.1,10.0.2.60,10.0.2.61,10.0.1.2,2001:db8:2::1,2001:db8:1::2 ;;
	guest0) from=10.0.3.2,127.0.0.1,2001:db8:3::2,fe80::99
		to=10.0.2.2,10.0.1.2,10.0.3.255,224.0.0.9,2001:db8:2::2,2001:db8:1::2,ff02::5 ;;
	esac
	to+=,10.0.$far_net.200,10.52.0.1,10.53.0.1,10.55.0.1,2001:db8:51::1,2001:db8:52::1,2001:db8:54::1
	dice 32768
	ns_bg "$far_ns" "$B/tests/tools/storm" "$far_dev" --dst-mac "02:00:00:00:0$far_net:01" \
		--from $from --to $to --rate "$storm_rate" --mutate 50 --seed "$die" > "$T/storm.$1" 2>&1
	storm_pid[$1]=$!
	eventually 5 grep -q ready "$T/storm.$1" > "$T/seen" || wrong "the storm at $1 begins" "$(cat "$T/storm.$1")"
}

# Beside the storms what hosts do: TCP in bulk, small calls, large pings of both families.
traffic_start()
{
	local dev
	for dev in "${ports[@]}"; do
		storm_start "$dev"
	done
	traffic_pids=()
	ns_bg b iperf3 -s -1 > "$T/bulk.server" 2>&1
	traffic_pids+=($!)
	ns_bg a ping -q -i 0.02 -s 3000 10.0.2.2 > "$T/ping4" 2>&1
	traffic_pids+=($!)
	ns_bg g ping -q -i 0.02 -s 3000 2001:db8:2::2 > "$T/ping6" 2>&1
	traffic_pids+=($!)
	ns_bg a iperf3 -c 10.0.2.2 -t 1000 -P 2 -b 5M > "$T/bulk" 2>&1
	traffic_pids+=($!)
}

storm_stop()
{
	kill "${storm_pid[$1]}" && wait "${storm_pid[$1]}" || wrong "the storm at $1" "$(tail "$T/storm.$1")"
}

traffic_stop()
{
	local dev
	for dev in "${ports[@]}"; do
		storm_stop "$dev"
	done
	kill "${traffic_pids[@]}" 2> "$T/seen" # TCP may have given up
	wait "${traffic_pids[@]}" 2> "$T/seen"
}

# Who was sent half a connection repeats its answer for a minute, to the dismay of who counts. Neighbours
# are told of, or Linux would ask for them each second.
hush()
{
	local dev
	for dev in "${ports[@]}"; do
		far_of "$dev"
		ns "$far_ns" nft -f - <<- END
		table netdev hush {
			chain out {
				type filter hook egress device $far_dev priority 0; policy drop;
				ether type arp accept
				icmpv6 type {nd-neighbor-solicit, nd-neighbor-advert} accept
			}
		}
		END
	done
}

unhush()
{
	local n
	for n in a b g; do
		ns $n nft delete table netdev hush
	done
}
