#!/bin/bash
# tests/netns/fault_size.sh: sizes that change or do not fit: MTU at run time, MTU too large for
# the frames, queue counts by ethtool -L, rings of 64, a memory that is too small.
. "$(dirname "$0")/../load.sh"

set_mtu()
{
	ip -n a link set a0 mtu "$1" && ip -n r link set lan0 mtu "$1" &&
		ip -n r link set wan0 mtu "$1" && ip -n b link set b0 mtu "$1"
}

size_passes() # DATA BYTES of an unfragmentable ping
{
	ns a ping -q -c 2 -i 0.1 -W 1 -M "do" -s "$1" 10.0.2.2
}

topo_three 2
router_start
passes "it forwards"
load_start 2000

check "the MTU goes down" set_mtu 1300
check "what fits is forwarded" eventually 5 size_passes 1272
ip -n a link set a0 mtu 1500 # only wan0 is smaller now
ip -n r link set lan0 mtu 1500
too_big()
{
	ns a ping -c 1 -W 1 -M "do" -s 1400 10.0.2.2 | grep 'mtu = 1300'
}
check "and what does not is answered with the MTU" eventually 5 too_big
ip -n a route flush cache
check "the MTU goes up" set_mtu 1700
check "what fits now is forwarded" eventually 5 size_passes 1672
check "and down to the usual" set_mtu 1500
check "with what fits it" eventually 5 size_passes 1472

check "an MTU no frame holds is set while the port is open" ip -n r link set wan0 mtu 3000
log_says "the log names the limit and the remedy" 'wan0: MTU 3000 .*at most 1774.*frame-size: 4096'
passes "what fits a frame is forwarded all the same"
check "it goes back" ip -n r link set wan0 mtu 1500
passes "with the old MTU it forwards again"
load_stop

# ---- queues
for end in "a a0" "r lan0" "r wan0" "b b0"; do
	# shellcheck disable=SC2086
	set -- $end
	ns "$1" ethtool -L "$2" rx 1 tx 1 > "$T/ethtool.$2" 2>&1
done
check "fewer queues than sockets: Linux refuses, or we follow" \
	sh -c "grep -q -i 'invalid\|busy\|too low' $T/ethtool.wan0 || ip -n r -d link show wan0"
note "ethtool -L wan0 rx 1: $(cat "$T/ethtool.wan0")"
passes "it forwards after that"
for end in "a a0" "r lan0" "r wan0" "b b0"; do
	# shellcheck disable=SC2086
	set -- $end
	ns "$1" ethtool -L "$2" rx 2 tx 2 > "$T/ethtool.$2" 2>&1
done
passes "and with two queues again"
check_conservation
check "it stops" router_stop

queues() # RX TX
{
	ns a ethtool -L a0 rx "$1" tx "$2" && ns b ethtool -L b0 rx "$1" tx "$2" &&
		ns r ethtool -L lan0 rx "$1" tx "$2" && ns r ethtool -L wan0 rx "$1" tx "$2"
}
queues 1 1
router_start
log_says "one queue a port is seen" 'port wan0 open: 1 queue,'
passes "and forwarded with"
load_start 2000
queues 2 1 # XDP on a port wants no fewer queues than its peer sends on
check "there are two" queues 2 2
log_says "a second queue is served soon" 'port wan0 open: 2 queues'
passes "and forwarded from"
load_stop
check_conservation
check "it stops" router_stop

# ---- small rings
router_start - << END
version: 1
router: {xdp: {ring-size: 64}}
interfaces: {lan0: {}, wan0: {}}
END
passes "rings of 64"
load_start 2000
sleep 1
load_stop
is "none of the load was lost in them" "$load_lost" 0
ns b iperf3 -s -1 -D
check "TCP through them" eventually 5 ns a iperf3 -c 10.0.2.2 -t 2
check_conservation
check "it stops" router_stop

# ---- a memory that does not hold the rings
router_spawn - << END
version: 1
router: {memory: {frames: 256}}
interfaces: {lan0: {}, wan0: {}}
END
check_not "256 frames are refused" router_wait
log_says "by name, limit and value" 'router.memory.frames: 256 is out of range, 1024 to'

router_spawn - << END
version: 1
router: {memory: {frames: 1024}}
interfaces: {lan0: {}, wan0: {}}
END
router_wait
log_says "1024 frames do not fill rings of 2048: the log says what would" 'no free frame left of 1024: raise router.memory.frames'
check_conservation
check "it stops" router_stop

router_spawn - << END
version: 1
router: {memory: {frames: 1024}, xdp: {ring-size: 64}}
interfaces: {lan0: {}, wan0: {}}
END
check "1024 frames do with rings of 64" router_wait
passes "and forward"
check_conservation

# ---- an MTU the frames do not hold, from the start
router_stop
set_mtu 3000
router_start
log_says "an MTU too large is said at the start, with the remedy" 'lan0: MTU 3000.*frame-size: 4096'
router_stop
router_start - << END
version: 1
router: {memory: {frame-size: 4096}}
interfaces: {lan0: {}, wan0: {}}
END
check "frames of 4096 hold it" eventually 5 size_passes 2900
check_conservation
finish
