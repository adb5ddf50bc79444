#!/bin/bash
# tests/netns/fault_manage.sh: the operator's own connection to the router's address never stutters,
# whatever happens to the daemon: start, stop, reload, kill -9 and again.
# (design: "never cut off the operator")
. "$(dirname "$0")/../load.sh"

cat > "$T/server.py" << 'END'
"""A TCP server that notes the longest silence between two messages of its client."""
import socket, sys, time
s = socket.create_server((sys.argv[1], 7))
print("ready", flush=True)
c, _ = s.accept()
last, worst, n = time.monotonic(), 0, 0
try:
    while c.recv(64):
        now = time.monotonic()
        worst, last, n = max(worst, now - last), now, n + 1
        c.send(b"x")
except ConnectionResetError: # the client ended with an answer unread
    pass
print(n, int(worst * 1000), flush=True)
END
cat > "$T/client.py" << 'END'
"""One message each 10 ms, until SIGTERM."""
import signal, socket, sys, time
signal.signal(signal.SIGTERM, lambda *a: sys.exit(0))
c = socket.create_connection((sys.argv[1], 7))
c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while True:
    c.send(b"x")
    c.recv(64)
    time.sleep(0.01)
END

topo_three 2
ns_bg r python3 "$T/server.py" 10.0.1.1 > "$T/server"
server=$!
eventually 5 grep -q ready "$T/server" > /dev/null
ns_bg a python3 "$T/client.py" 10.0.1.1
client=$!
ns_bg a ping -i 0.01 -q 10.0.1.1 > "$T/ping4"
ping4=$!
ns_bg b ping -i 0.01 -q 2001:db8:2::1 > "$T/ping6"
ping6=$!
sleep 0.5

router_start
passes "it forwards"
router_stop > /dev/null
router_start
passes "again"
cp "$CONF" "$T/good.yaml"
load_start 5000
for i in 1 2 3; do
	kill -HUP "$(router_pid)"
	sleep 0.2
	check "a reload with nothing new ($i)" ctl reload --wait
	printf 'version: 1\ninterfaces: {lan0: {mtu: nonsense}}\n' > "$CONF"
	check_not "a bad one ($i)" ctl reload --wait
	printf 'version: 1\ninterfaces: {lan0: {addresses: [10.7.0.1/24]}, wan0: {}}\n' > "$CONF"
	check "one with an address ($i)" ctl reload --wait
	cp "$T/good.yaml" "$CONF"
	check "and without ($i)" ctl reload --wait
done
load_stop
is "none of these loses a packet that is forwarded" "$load_lost" 0
for i in 1 2 3; do
	kill -HUP "$(router_pid)"
	sleep 0.2
	ctl reload --wait > /dev/null
	printf 'version: 1\ninterfaces: {lan0: {mtu: nonsense}}\n' > "$CONF"
	ctl reload --wait > /dev/null 2>&1
	kill -HUP "$(router_pid)"
	sleep 0.2
	printf 'version: 1\ninterfaces: {lan0: {addresses: [10.7.0.1/24]}, wan0: {}}\n' > "$CONF"
	ctl reload --wait > /dev/null
	printf 'version: 1\ninterfaces: {lan0: {queues: 1}, wan0: {}}\n' > "$CONF"
	ctl reload --wait > /dev/null
	printf 'version: 1\ninterfaces: {wan0: {}}\n' > "$CONF"
	ctl reload --wait > /dev/null
	cp "$T/good.yaml" "$CONF"
	check "reloads, good ones and bad ($i)" ctl reload --wait
done
passes "it forwards after them"
for i in 1 2 3; do
	router_kill KILL
	sleep 0.2
	router_start
	passes "killed and started ($i)"
done
check_conservation
check "it stops" router_stop
ns r "$B/router" --cleanup -R "$ROUTER_DIR" > /dev/null

kill -INT $ping4 $ping6
wait $ping4 $ping6
kill $client
wait $server
lost()
{
	awk '/transmitted/ { print $1 - $4 }' "$1"
}
note "$(grep transmitted "$T/ping4"); $(grep rtt "$T/ping4")"
note "$(grep transmitted "$T/ping6"); $(grep rtt "$T/ping6")"
is "no echo from a to its side of the router was lost" "$(lost "$T/ping4")" 0
is "nor from b, over IPv6" "$(lost "$T/ping6")" 0
read -r messages worst < <(tail -n 1 "$T/server")
note "TCP: $messages messages, the longest silence $worst ms"
check "the TCP session lived through all" [ "$messages" -gt 300 ]
check "and was never silent for 200 ms" [ "$worst" -lt 200 ]
finish
