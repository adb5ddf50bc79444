#!/bin/bash
# tests/netns/qos_prio.sh: a lower band gets nothing while a higher one could send, a shaper under
# one band is exact and leaves the others alone, and which TOS means which priority is as in Linux.
# check: release-only, slow
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
. "$(dirname "$0")/../qos.sh"

two='[0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]'

# both ADDR: 12 Mbit/s to the port of the first band and to that of the last
both()
{
	local pids=() port
	see b 5001 5002
	for port in 5001 5002; do
		send a "$1" $port --rate 1500 --size 1000 --seconds 3 > "$T/sent.$port" &
		pids+=($!)
	done
	wait "${pids[@]}"
	see_end 1
	first=$(came 5001 'r["bits"]') last=$(came 5002 'r["bits"]')
	echo "first $first, last $last bit/s"
}

strict()
{
	both "$1" && near $((first + last)) 10000000 0.1 && [ $((first * 100)) -gt $(((first + last) * 95)) ]
}

# of the first band no more than its own rate, of the last all that comes
shaped()
{
	both "$1" && near "$first" 10000000 0.05 && near "$last" 12000000 0.05
}

# linux_priorities: nft counts them
linux_priorities()
{
	{
		echo 'table ip t {'
		printf 'counter p%d {}\n' {0..7}
		echo 'chain each {'
		printf 'meta priority 0:%d counter name p%d\n' {0,0,1,1,2,2,3,3,4,4,5,5,6,6,7,7}
		echo '}'
		echo 'chain out { type filter hook postrouting priority 0; udp dport 9 jump each; }; }'
	} > "$T/nft"
	ns l nft -f "$T/nft"
}

# counted linux|ours: packets of each priority
counted()
{
	if [ "$1" = ours ]; then
		ctl -j show qos -s dev wan0 | json - \
			'[r["packets"] for r in sorted(d, key=lambda r: r["handle"]) if r["kind"] == "class"]'
	else
		ns l nft -j list counters table ip t | json - \
			'[v["packets"] for k, v in sorted((c["counter"]["name"], c["counter"])
				for c in d["nftables"] if "counter" in c)]'
	fi
}

# priorities NAME NS ADDR: a line for each TOS: of which priority three packets were
priorities()
{
	local tos before
	for tos in {0..4} 6 8 16 24 0x2a 0xb8; do
		before=$(counted "$1")
		send "$2" "$3" 9 --count 3 --tos "$tos" > "$T/sent"
		sleep 0.05
		echo "$tos $(echo "[$before, $(counted "$1")]" | json - \
			'[i for i, (x, y) in enumerate(zip(*d)) if y - x == 3]')"
	done
}

qos_topo && linux_topo || exit
router_start
check "it forwards" flood_ready ours
check "and so does Linux" flood_ready linux
check "over IPv6" ns a ping -q -c 1 2001:db8:2::2

note "strict priority"
check "a line of 10 Mbit/s and two bands" shape "{root: {tbf: {rate: 10mbit, burst: 10kb, limit: 200kb},
	handle: \"1:\"}, qdiscs: [{parent: \"1:1\", handle: \"10:\", prio: {bands: 2, priomap: $two}},
	{parent: \"10:1\", pfifo: {limit: 50}}, {parent: \"10:2\", pfifo: {limit: 50}}],
	filters: [{parent: \"10:\", proto: udp, dport: 5001, class: \"10:1\"},
		{parent: \"10:\", proto: udp, dport: 5002, class: \"10:2\"}]}"
for to in 10.0.2.2 2001:db8:2::2; do
	check "the first gets more than 95 %, the last what is left, to $to" retry strict $to
	note "first $first, last $last bit/s"
	check "and nothing stays" qos_idle
done
check "the last band drops" [ "$(qos 10:2 drops)" -gt 1000 ]

note "a shaper under a band"
check "two bands, tbf under the first" shape "{root: {prio: {bands: 2, priomap: $two}, handle: \"1:\"},
	qdiscs: [{parent: \"1:1\", handle: \"10:\", tbf: {rate: 10mbit, burst: 10kb, limit: 200kb}}],
	filters: [{proto: udp, dport: 5001, class: \"1:1\"}, {proto: udp, dport: 5002, class: \"1:2\"}]}"
for to in 10.0.2.2 2001:db8:2::2; do
	check "the first has its 10 Mbit/s, and the last is not held up, to $to" retry shaped $to
	note "first $first, last $last bit/s"
	check "and nothing stays" qos_idle
done

note "what is of which priority"
check "a band for each" shape '{root: {prio: {bands: 8, priomap: [0, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0,
	0, 0, 0, 0]}, handle: "1:"}}'
check "nft counts in Linux" linux_priorities
priorities ours a 10.0.2.2 > "$T/ours" && priorities linux la 10.1.2.2 > "$T/linux"
check "by its TOS, as in Linux" diff -u "$T/linux" "$T/ours"
priorities ours a 2001:db8:2::2 > "$T/ours6"
check "and the same of IPv6" diff -u "$T/ours" "$T/ours6"

refused "there are not so many bands" \
	'qos.wan0.egress.root.prio.priomap: priority 0 goes to band 2, but the last is 1' \
	'qos: {wan0: {egress: {root: {prio: {bands: 2, priomap: [2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}}}}}'
check_conservation
finish
