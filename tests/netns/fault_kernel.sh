#!/bin/bash
# tests/netns/fault_kernel.sh: the configuration's addresses, routes and neighbours in Linux, and
# Linux faster than we can follow: 20,000 routes come and go until the event socket overruns; the
# two tables agree afterwards and forwarding does not notice.
. "$(dirname "$0")/../load.sh"

routes_of() # Linux's main table: one prefix a line
{
	ip -n r -j -4 route show table main | json - '"\n".join(sorted(r["dst"] if "/" in r["dst"]
		or r["dst"] == "default" else r["dst"] + "/32" for r in d))'
}

routes_ours()
{
	ctl_json '"\n".join(sorted(r["dst"] for r in d
		if r["table"] in ("main", 254) and ":" not in r["dst"]))' show routes |
		sed 's|^0.0.0.0/0$|default|' | sort
}

tables_agree()
{
	routes_of | sort > "$T/linux"
	routes_ours > "$T/ours"
	diff "$T/linux" "$T/ours" | head -n 20
	cmp -s "$T/linux" "$T/ours"
}

# ---- YAML into Linux and out again
topo_three 2
router_start - << END
version: 1
interfaces:
  lan0: {addresses: [10.77.1.1/24, "2001:db8:77::1/64"]}
  wan0: {}
routing:
  routes:
    - {to: 10.88.0.0/16, via: 10.0.2.2}
    - {to: "2001:db8:88::/48", via: "2001:db8:2::2"}
    - {to: 10.89.0.0/16, type: blackhole}
    - {to: 10.90.0.0/16, via: 10.66.0.2}
  neighbours: [{dev: wan0, ip: 10.0.2.77, mac: "02:00:00:00:00:77"}]
END
check "an address of the file is on its port" eventually 5 sh -c 'ip -n r addr show lan0 | grep 10.77.1.1/24'
check "an IPv6 one too" eventually 5 sh -c 'ip -n r addr show lan0 | grep 2001:db8:77::1/64'
check "a route of the file is in Linux, marked as ours" \
	eventually 5 sh -c 'ip -n r -d route show 10.88.0.0/16 | grep "proto 175"'
check "an IPv6 one too" eventually 5 sh -c 'ip -n r -6 -d route show 2001:db8:88::/48 | grep "proto 175"'
check "a blackhole too" eventually 5 sh -c 'ip -n r -d route show type blackhole | grep "10.89.0.0/16.*proto 175"'
check "the neighbour is there for good" \
	eventually 5 sh -c 'ip -n r neigh show 10.0.2.77 | grep "02:00:00:00:00:77 PERMANENT"'
is "a route by a gateway out of reach is not there" "$(ip -n r route show 10.90.0.0/16)" ""
log_says "the log says so, with its line" 'route 10.90.0.0/16 (line 10)'
host_addr r wan0 10.66.0.1/24
check "it is there once the gateway can be reached" \
	eventually 5 sh -c 'ip -n r -d route show 10.90.0.0/16 | grep "proto 175"'
ip -n r route add 10.91.0.0/16 via 10.0.2.2
host_addr b b0 10.88.0.1/32
check "and what they say is what is forwarded" eventually 5 ns a ping -q -c 1 -W 1 10.88.0.1
ip -n r link set wan0 down # takes the routes away
ip -n r link set wan0 up
host_addr r wan0 2001:db8:2::1/64
check "after the port was down a route of the file comes back" \
	eventually 5 sh -c 'ip -n r -d route show 10.88.0.0/16 | grep "proto 175"'

ip -n r route replace 10.91.0.0/16 via 10.0.2.2
printf 'version: 1\ninterfaces: {lan0: {}, wan0: {}}\n' > "$CONF"
check "a file without them" ctl reload --wait
is "withdraws the addresses" "$(ip -n r addr show lan0 | grep -E "10[.]77[.]|2001:db8:77:")" ""
is "the routes" "$(ip -n r -d route | grep 'proto 175'; ip -n r -6 -d route | grep 'proto 175')" ""
is "and the neighbour" "$(ip -n r neigh show 10.0.2.77 | grep PERMANENT)" ""
check "a route of another's stays" sh -c 'ip -n r route show 10.91.0.0/16 | grep via'
check "what nobody configured is Linux's own" tables_agree

# ---- more news than can be read
cat > "$T/routes.py" << 'END'
import sys
for i in range(20000):
    print("route", sys.argv[1], f"172.{16 + i // 65536}.{i // 256 % 256}.{i % 256}/32 via 10.0.2.2")
END
python3 "$T/routes.py" add > "$T/add"
python3 "$T/routes.py" del > "$T/del"
# Stops the control thread alone, as a debugger would: workers go on. Lives until SIGTERM.
cat > "$T/hold.py" << 'END'
import ctypes, os, signal, sys
libc, pid = ctypes.CDLL(None, use_errno=True), int(sys.argv[1])
libc.ptrace.argtypes = [ctypes.c_long] * 4
def ptrace(what):
    if libc.ptrace(what, pid, 0, 0):
        sys.exit(os.strerror(ctypes.get_errno()))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
ptrace(0x4206) # PTRACE_SEIZE
ptrace(0x4207) # PTRACE_INTERRUPT
os.waitpid(pid, 0x40000000) # __WALL
print("held", flush=True)
signal.sigwait([signal.SIGTERM])
ptrace(17) # PTRACE_DETACH
END
# starved: what found no room in a ring while a worker or Linux had no CPU; it is counted
starved()
{
	ctl_json 'sum(r["packets"] for r in d if r["stage"] == "kernel" or r["reason"] == "tx-ring-full")' show drops
}
starved_before=$(starved)
load_start 1000
lost_before=$(ctl_json 'd["netlink_overruns"]' show status)
for _ in 1 2 3; do
	ns r ip -batch "$T/add"
	ns r ip -batch "$T/del"
done
ns r ip -batch "$T/add"
check "20,000 routes are mirrored" eventually 15 tables_agree
head -n 10000 "$T/del" > "$T/half"
ns r ip -batch "$T/half"
check "10,000 of them go" eventually 15 tables_agree
ip -n r route flush table main proto boot 2> /dev/null
check "all of them go at once" eventually 15 tables_agree

python3 "$T/hold.py" "$(router_pid)" > "$T/held" 2>&1 &
hold=$!
if eventually 5 grep -q held "$T/held" > /dev/null; then
	for _ in 1 2 3; do # more than any buffer takes
		ns r ip -batch "$T/add"
		ns r ip -batch "$T/del"
	done
	ns r ip -batch "$T/add"
	ns r ip -batch "$T/half"
	kill $hold
	wait $hold
	check "after an overrun the tables agree again" eventually 20 tables_agree
	check "the overrun was noticed" \
		[ "$(ctl_json 'd["netlink_overruns"]' show status)" -gt "$lost_before" ]
	ip -n r route flush table main proto boot 2> /dev/null
	check "and again without the routes" eventually 15 tables_agree
else
	skip "an overrun" "the control thread cannot be held: $(cat "$T/held")"
fi
load_stop
busy=$(($(starved) - starved_before))
[ $busy = 0 ] || note "$busy packets were lost to a busy machine"
is "no other packet was lost meanwhile" $((load_lost - busy)) 0
check_conservation
finish
