#!/bin/bash
# tests/netns/fault_ring.sh: rings in all their states. One packet and no other; one queue, several,
# more than there are workers; more than a ring of 64 holds; and a device that takes no more
# (EBUSY), which loses packets but no frame, and goes on when it drains. (AF_XDP rule 25)
# check: heavy
. "$(dirname "$0")/../load.sh"
. "$(dirname "$0")/../peers.sh"

# conf WORKERS RING-SIZE [INTERFACE]
conf()
{
	cat <<- END
	version: 1
	router: {workers: {count: $1}, xdp: {ring-size: $2}}
	interfaces: {lan0: {}, wan0: {}${3:+, $3: {\}}}
	END
}

# Nothing comes before it and nothing after: what only the next one would push out stays.
lone_packets()
{
	local i
	for i in 1 2 3 4 5; do
		sleep 0.3
		ns a ping -q -c 1 -W 1 10.0.2.2 && ns b ping -q -c 1 -W 1 2001:db8:1::2 || return
	done
}

# How many receive queues of a port have seen a packet.
queues_used()
{
	ns r ethtool -S "$1" | awk '/rx_queue_[0-9]+_xdp_packets:/ && $2 > 0 { n++ } END { print n + 0 }'
}

# A host's flows are spread over its queues, and so arrive on all of the router's.
spread()
{
	check "64 conversations" hold q a udp 10.0.2.2 7000 64
	is "all of them go on" "$(again q)" "64 0"
	hold_end q
}

for queues in 1 2 4; do
	topo_three $queues
	serve b udp:7000
	for workers in 1 2; do
		note "$queues queues a port, $workers workers, rings of 64"
		router_start - < <(conf $workers 64)
		passes "it forwards"
		check "one packet now and then" lone_packets
		spread
		is "all queues of lan0 are served" "$(queues_used lan0)" $queues
		load_start 1000000
		sleep 1
		load_stop
		check "more was sent than rings hold" [ $load_sent -gt 1000 ]
		check "one packet after the flood" lone_packets
		check_conservation
		check "it stops" router_stop
	done
	[ $queues = 4 ] || for n in a r b; do ip netns del $n; done
done

# ---- a device that takes no more: a tap whose queue holds 16, and whose reader waits for a signal
cat > "$T/tap.py" << 'END'
import fcntl, os, signal, struct, sys
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 2, 0x1000
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"tap0", IFF_TAP | IFF_NO_PI))
print("ready", flush=True)
while True:
    signal.sigwait([signal.SIGUSR1])
    n = 0
    try:
        while frame := os.read(fd, 2048):
            n += frame[:6] == b"\2\0\0\0\0\x09"
    except BlockingIOError:
        print(n, flush=True)
END
ns_bg r /usr/bin/python3 "$T/tap.py" > "$T/tap"
tap=$!
if ! eventually 3 grep -q ready "$T/tap" > "$T/seen"; then
	skip "a device that takes no more" "no tap device here"
	finish
fi
ip -n r link set tap0 txqueuelen 16 up
host_addr r tap0 10.0.9.1/24
ip -n r neigh replace 10.0.9.2 lladdr 02:00:00:00:00:09 dev tap0

# The reader takes what is there; $taken are all that it ever had.
taken=0
drain()
{
	local before
	before=$(wc -l < "$T/tap")
	kill -USR1 $tap
	eventually 3 eval "[ \$(wc -l < $T/tap) -gt $before ]" && taken=$((taken + $(tail -n 1 "$T/tap")))
}

to_tap()
{
	ns a "$B/tests/tools/pktgen" gen a0 --dst-mac "$(mac_of r lan0)" --src 10.0.1.2 --dst 10.0.9.2 \
		--rate 2000 --count "$1" > "$T/gen"
	sleep 0.3
}

router_start - < <(conf 1 64 tap0)
passes "it forwards beside a tap"
to_tap 500
refused=$(drops tx-device)
check "what the device refuses is dropped and counted: $refused" [ "$refused" -gt 400 ]
is "none waits in the ring" "$(drops tx-ring-full)" 0
check "the others are not held up" lone_packets
check "the reader comes back" drain
is "and has got what was counted as sent" "$(show_if tap0 tx_packets)" $taken
for i in 1 2 3; do
	to_tap 10
	drain
	is "from then on packets go through ($i)" "$(show_if tap0 tx_packets) $((500 - refused + 10 * i))" "$taken $taken"
done
is "and none is refused" "$(drops tx-device)" "$refused"
check_conservation
kill $tap
finish
