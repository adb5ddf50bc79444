#!/bin/bash
# tests/netns/restart_bad.sh: what a process finds is damaged, foreign, or of a world that has changed
# meanwhile: it says so, adopts what it can, and forwards; and it may be killed on the way.
# check: heavy
. "$(dirname "$0")/../lib.sh"
topo_three 2
mkdir -p "$T/x"

# running_other PID: a router answers that is another process.
running_other()
{
	[ "$(ctl_json 'd["state"]' show status 2> /dev/null)" = running ] && [ "$(router_pid)" != "$1" ]
}

said()
{
	tail -n +"$lines" "$(lib_log)" | grep -qF -- "$1"
}

forwards()
{
	ns a ping -q -c 1 -W 0.2 10.0.2.2
}

books()
{
	lib_frames_add_up && lib_packets_add_up
}

# again WHAT [TEXT]: killed, it is there again, forwards, its books balance, and it has said TEXT.
again()
{
	local what=$1 pid
	pid=$(router_pid) lines=$(($(wc -l < "$(lib_log)") + 1))
	kill -KILL "$pid"
	check "$what: another process runs" eventually 10 running_other "$pid"
	[ -z "${2:-}" ] || check "$what: it says \"$2\"" said "$2"
	check "$what: it forwards" eventually 5 forwards
	check "$what: its books balance" eventually 3 books
}

open_ports()
{
	ctl_json '" ".join(sorted(r["name"] for r in d if r["state"] == "up"))' show interfaces
}

# state FILE [OFFSET BYTES]: a copy of the state as it is, with BYTES (as printf has them) at OFFSET.
state()
{
	local fd
	fd=$(find "/proc/$(router_pid)/fd" -lname '/memfd:router-state*' | head -n 1)
	cp "$fd" "$1"
	[ $# = 1 ] || printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# config TEXT: what the next process reads.
config()
{
	printf 'version: 1\n%s\n' "$1" > "$CONF"
}
both='interfaces: {lan0: {}, wan0: {}}'

# ---- another router, which has nothing to do with all this
ns_add s && veth s s0 a s1
ROUTER_NS=s ROUTER_DIR=/run/other
printf 'version: 1\ninterfaces: {s0: {}}\n' > "$T/other.yaml"
router_start "$T/other.yaml"
other=$(router_pid)
ROUTER_NS=r ROUTER_DIR=/run/router

KEEPER="$lib_top/tests/tools/keeper.py -d 5 -x $T/x"
router_start
check "packets pass" forwards

# ---- the state
cold="starting cold"
head -c 100000 /dev/urandom > "$T/x/state"
again "a foreign state" "it is no state of a router): $cold"
state "$T/whole" && head -c 65536 "$T/whole" > "$T/x/state"
again "half a state" "its size is not what it says"
head -c 100 "$T/whole" > "$T/x/state"
again "a few bytes of one" "it is too short"
state "$T/x/state" 8 '\7'
again "another layout" "its layout is version 7"
state "$T/x/state" 24 'x'
again "a state of before the last boot" "it is from before the last boot"
state "$T/x/state" 64 '\1\1\1\1'
again "a state of another namespace" "it is of another network namespace"
: > "$T/x/state"
again "no state"

# ---- memory and sockets
: > "$T/x/umem"
again "no packet memory" "packet memory"
head -c 40960 /dev/zero > "$T/x/umem"
again "a packet memory of another size" "packet memory"
lan0=$(ip -n r -j link show lan0 | grep -o '"ifindex":[0-9]*' | cut -d: -f2)
: > "$T/x/xsk-$lan0-1"
again "a socket is missing" "lan0: its sockets are opened anew, not adopted: not all of them were kept"
echo socket > "$T/x/xsk-$lan0-0"
again "a socket is none" "lan0: its sockets are opened anew"

# ---- the world
cat > "$T/x/run" <<'X'
ip -n r link del wan0
ip -n r link add wan0 numrxqueues 3 numtxqueues 3 type veth peer name b0 netns b numrxqueues 2 numtxqueues 2
nsenter --net=/run/netns/r ethtool -L wan0 rx 2 tx 2
ip -n r addr add 10.0.2.1/24 dev wan0 && ip -n r link set wan0 up
ip -n b addr add 10.0.2.2/24 dev b0 && ip -n b link set b0 up && ip -n b route add default via 10.0.2.1
X
again "another device by the name" "wan0: its sockets are opened anew, not adopted: the device has gone"
cat > "$T/x/run" <<'X'
ip -n r link set wan0 down && ip -n r link set wan0 name wan1 && ip -n r link set wan1 up
X
config 'interfaces: {lan0: {}, wan1: {}}'
again "a device by another name" "wan0: its sockets are opened anew, not adopted"
is "it is open" "$(open_ports)" "lan0 wan1"
cat > "$T/x/run" <<'X'
ip -n r link set wan1 down && ip -n r link set wan1 name wan0 && ip -n r link set wan0 up
nsenter --net=/run/netns/r ethtool -L wan0 rx 3 tx 3
X
config "$both"
again "more queues" "wan1: its sockets are opened anew, not adopted"
is "all of them are open" "$(ctl_json '[r["queues"] for r in d if r["name"] == "wan0"][0]' show interfaces)" 3

# ---- the configuration
config 'interfaces: {wan0: {}}
router: {workers: {count: 2}}'
pid=$(router_pid)
kill -KILL "$pid"
check "a port left the file: another process runs" eventually 10 running_other "$pid"
is "it has the other one" "$(open_ports)" wan0
check_not "no program is left on lan0" sh -c 'ip -n r -d link show lan0 | grep -q xdp'
config "$both
router: {workers: {count: 2}}"
again "it is back, and there are two workers"
config "$both
router: {xdp: {ring-size: 512}}"
again "another size of rings"
config "$both
router: {memory: {frames: 32768}}
conntrack: {max: 10000}"
again "more memory, and connection tracking" "router.memory: 28672 frames of 2048 bytes go on"
config "$both"
again "none of it"

cp "$CONF" "$T/good.yaml"
printf 'interfacs: {}\n' >> "$CONF"
again "the file is refused" "is refused: going on with the configuration of before"
again "the file is refused still" "going on where the last process was killed"
config "$both
nat: {source: [{name: home, from: [10.0.3.0/24], out: wan0, pool: 100.64.0.0/22}]}"
again "its rules cannot be built" "is refused: going on with the configuration of before"
again "nor are they the next time" "going on where the last process was killed"
is "the ports are those of before" "$(open_ports)" "lan0 wan0"
check_not "a reload refuses it, too" ctl reload
cp "$T/good.yaml" "$CONF"
check "mended, it reloads" ctl reload
rm "$CONF"
again "there is no file" "No such file or directory"
cp "$T/good.yaml" "$CONF"

# ---- it dies, and dies
lines=$(($(wc -l < "$(lib_log)") + 1))
for ((i = 0; i < 8; i++)); do
	pid=$(router_pid)
	kill -KILL "$pid"
	eventually 10 running_other "$pid" > /dev/null
	! said "processes that adopted it died soon after" || break
done
check "what processes die of soon after, again and again, is not gone on with" test $i -lt 8
check "it forwards, cold" eventually 5 forwards
dying()
{
	local i
	for ((i = 0; i < 20; i++)); do
		sleep "0.$(printf %03d $((RANDOM % 300)))"
		pkill -KILL -P "${lib_pid[$ROUTER_DIR]}" 2> /dev/null
	done
	sleep 0.1
	eventually 10 lib_running && eventually 5 forwards
}
check "killed 20 times in the middle of its start, it runs in the end" dying
check_conservation
ROUTER_DIR=/run/other
is "the other router is the one it was" "$(router_pid) $(open_ports)" "$other s0"
finish
