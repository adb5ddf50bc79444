# shellcheck shell=bash disable=SC2034
# tests/bench/veth_htb.sh - the tree of veth.sh's row htb, for us and for Linux: 1,000 hosts behind in0,
# for each a class at out0, which its address decides. A host has 64 flows; the generator sends a packet of
# each host in turn. Nobody is above his rate, so nothing waits: what is measured is the way to there.
#
#   htb_yaml          our configuration
#   htb_on | htb_off  Linux's, in rtr
#
# How Linux finds the class is BENCH_HTB_BY:
#   u32   a hash table over the last byte of the address, four entries a bucket. Of the classifiers that
#         look addresses up the kernels at hand have no other: no flower, fw, flow or basic
#   nft   a map of addresses, in the forward hook, sets the packet's priority, which is its class
# Leaves are pfifo, as HTB makes them; BENCH_HTB_LEAF=fq_codel gives us others (Linux here has none). Neither
# side tracks connections: ours looks each packet up among 1,000 filters.
htb_flows=(--flows 64000 --src 198.18.0.1-198.18.3.232 --dst 198.19.0.1-198.19.0.64)

# Each host: the minor number of its class, and its address.
htb_hosts()
{
	local i
	for ((i = 1; i <= 1000; i++)); do
		printf '%x 198.18.%d.%d\n' $i $((i >> 8)) $((i & 255))
	done
}

htb_yaml()
{
	local minor address leaf=${BENCH_HTB_LEAF:-pfifo}
	cat <<- END
		qos:
		  out0:
		    egress:
		      root: {htb: {}, handle: "1:"}
		      classes:
		        all: {handle: "1:fffe", rate: 10gbit, quantum: 1514}
	END
	htb_hosts | while read -r minor address; do
		echo "        x$minor: {handle: \"1:$minor\", parent: all, rate: 10mbit, ceil: 10gbit," \
			"quantum: 1514, leaf: {$leaf: {}}}"
	done
	echo "      filters:"
	htb_hosts | while read -r minor address; do
		echo "        - {from: $address, class: x$minor}"
	done
}

htb_on()
{
	ip netns exec rtr tc -batch - <<- END || return
		qdisc add dev out0 root handle 1: htb
		class add dev out0 parent 1: classid 1:fffe htb rate 10gbit quantum 1514
		$(htb_hosts | while read -r minor _; do
			echo "class add dev out0 parent 1:fffe classid 1:$minor htb rate 10mbit ceil 10gbit quantum 1514"
		done)
	END
	htb_by_"${BENCH_HTB_BY:-u32}"
}

htb_by_u32()
{
	ip netns exec rtr tc -batch - <<- END
		filter add dev out0 parent 1: protocol ip prio 1 handle 2: u32 divisor 256
		filter add dev out0 parent 1: protocol ip prio 1 u32 match ip src 198.18.0.0/16 hashkey mask 0xff at 12 link 2:
		$(htb_hosts | while read -r minor address; do
			printf 'filter add dev out0 parent 1: protocol ip prio 1 u32 ht 2:%x: match ip src %s/32 flowid 1:%s\n' \
				"${address##*.}" "$address" "$minor"
		done)
	END
}

htb_by_nft()
{
	ip netns exec rtr nft -f - <<- END
		table ip bench {
			map class {
				type ipv4_addr : classid
				elements = { $(htb_hosts | sed 's/\(.*\) \(.*\)/\2 : 1:\1,/') }
			}
			chain forward {
				type filter hook forward priority 0
				meta priority set ip saddr map @class
			}
		}
	END
}

htb_off()
{
	htb_all_used ip netns exec rtr tc -s class show dev out0 || return
	ip netns exec rtr tc qdisc del dev out0 root
	[ "${BENCH_HTB_BY:-u32}" != nft ] || ip netns exec rtr nft delete table ip bench
}

# htb_all_used CMD...: classes in tc's words, and each has sent something, or the figure means nothing.
htb_all_used()
{
	local used
	used=$("$@" | grep -A 1 '^class htb' | grep -c 'Sent .* [1-9][0-9]* pkt')
	[ "$used" -ge 1000 ] || { echo "only $used of 1,000 classes sent something" >&2; return 1; }
}
