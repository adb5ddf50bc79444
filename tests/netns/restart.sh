#!/bin/bash
# tests/netns/restart.sh: one process after the other, and no packet is lost between them: killed, asked
# to leave, taken over from. A service manager as small as can be keeps the descriptors (tools/keeper.py).
. "$(dirname "$0")/../lib.sh"
topo_three 2

# pings: how many of ping's packets were answered.
pings()
{
	sed -n 's/.* \([0-9]*\) received.*/\1/p' "$T/ping.txt"
}

# running_other PID: a router answers that is another process.
running_other()
{
	[ "$(ctl_json 'd["state"]' show status 2> /dev/null)" = running ] && [ "$(router_pid)" != "$1" ]
}

# through WHAT COMMAND...: nothing is lost while COMMAND makes another process of the router.
through()
{
	local what=$1 pid
	shift
	pid=$(router_pid)
	ns_bg a ping -q -i 0.002 -c 500 -W 3 10.0.2.2 > "$T/ping.txt" 2>&1
	local ping=$!
	sleep 0.2
	"$@"
	check "$what: another process answers" eventually 10 running_other "$pid"
	wait $ping
	is "$what: every ping is answered" "$(pings)" 500
}

kill_router()
{
	kill -KILL "$(router_pid)"
}

KEEPER="$lib_top/tests/tools/keeper.py -d 5 -l $T/starts"
router_start - << 'END'
version: 1
interfaces: {lan0: {}, wan0: {}}
stats: {socket: {group: no-such-group}}  # its socket goes on all the same
conntrack: {tcp-loose: false} # a connection that was forgotten would not go on
nat: {source: [{name: home, from: [10.0.1.0/24], proto: tcp, out: wan0, action: masquerade, ports: 20100-20199},
  {name: other, from: [10.0.3.0/24], out: wan0, action: masquerade, ports: 20000-20099}]}
END
reserved=/proc/sys/net/ipv4/ip_local_reserved_ports
is "Linux keeps clear of NAT's ports" "$(ns r cat $reserved)" 20000-20199
check "packets pass" ns a ping -q -c 2 -i 0.2 10.0.2.2

# A download through NAT, a megabyte a second, until there is a file `enough`. Who downloads exits with 0
# if all bytes came; who serves writes down to whom.
cat > "$T/download.py" << 'END'
import os, socket, sys, time
t, kilobyte, n = sys.argv[1], bytes(range(256)) * 4, 0
if sys.argv[2] == "serve":
    s = socket.create_server(("10.0.2.2", 8000))
    s, to = s.accept()
    open(t + "/client", "w").write(to[0])
    while not os.path.exists(t + "/enough"):
        n += len(kilobyte)
        s.sendall(kilobyte)
        time.sleep(0.001)
    open(t + "/served", "w").write(str(n))
    sys.exit()
s = socket.create_connection(("10.0.2.2", 8000))
while got := s.recv(65536):
    assert all(b == (n + i) % 256 for i, b in enumerate(got))
    n += len(got)
sys.exit(n != int(open(t + "/served").read()))
END
ns_bg b python3 "$T/download.py" "$T" serve
check "a server listens" eventually 5 sh -c "nsenter --net=/run/netns/b ss -Hltn | grep -q :8000"
ns_bg a timeout 30 python3 "$T/download.py" "$T" fetch
download=$!
sent=$(ctl_json 'd["tx_packets"]' show status)
through "kill -9" kill_router
through "kill -9 again" kill_router
through "routerctl restart" ctl restart
touch "$T/enough"
check "the download went on, and is whole" wait $download
is "and its client was the router all the time" "$(cat "$T/client")" 10.0.2.1
check "counters go on" test "$(ctl_json 'd["tx_packets"]' show status)" -ge $((sent + 3000))
is "nothing was dropped" "$(ctl_json "[(r[\"reason\"], r[\"packets\"]) for r in d if r[\"stage\"] != \"kernel\"]" show drops)" "[]"
check "each process found what the one before left" test "$(grep -c 'descriptors' "$T/starts")" = 4
note "$(cat "$T/starts")"

# ---- what was adopted is given up as anything else
queues_are()
{
	[ "$(show_if wan0 state) $(show_if wan0 queues)" = "up $1" ]
}
cp "$CONF" "$T/two.yaml"
printf 'version: 1\ninterfaces: {lan0: {}, wan0: {queues: 1}}\n' > "$CONF"
check "a reload with another number of queues" ctl reload --wait
check "a port that was adopted opens anew" eventually 5 queues_are 1
cp "$T/two.yaml" "$CONF"
check "a reload with as many as before" ctl reload --wait
check "and again" eventually 5 queues_are 2

# ---- what cannot be used
printf 'interfacs: {}\n' >> "$CONF"
check_not "it does not leave for a file that the next one would refuse" ctl restart
sed -i '$d' "$CONF"
cp "$CONF" "$T/good.yaml"
sed -i '/name: other/s/action: masquerade.*/pool: 100.64.0.0\/22}]}/' "$CONF"
check_not "nor for one whose rules cannot be built" ctl restart
check_not "which the program itself refuses, too" "$B/router" --check "$CONF"
cp "$T/good.yaml" "$CONF"
check_conservation
check "it stops" router_stop
check_not "and nothing is left on its ports" sh -c 'ip -n r -d link show lan0 | grep -q xdp'
is "nor of what the first process took from Linux" "$(ns r cat $reserved)" ""

# ---- without a service manager
KEEPER=
router_start
check_not "without one, nobody would start the next process" ctl restart
take_over()
{
	local old=${lib_pid[$ROUTER_DIR]}
	ns_bg r "$B/router" --handover -c "$CONF" -R "$ROUTER_DIR" >> "$(lib_log)" 2>&1 < /dev/null
	lib_pid[$ROUTER_DIR]=$!
	wait "$old"
	is "the old process ends with status 0" $? 0
}
through "router --handover" take_over
through "router --handover again" take_over
is "nothing was dropped" "$(ctl_json "[(r[\"reason\"], r[\"packets\"]) for r in d if r[\"stage\"] != \"kernel\"]" show drops)" "[]"
check_conservation
cp "$CONF" "$T/good.yaml"
echo 'nat: {source: [{name: home, from: [10.0.3.0/24], out: wan0, pool: 100.64.0.0/22}]}' >> "$CONF"
check_not "nor with rules that cannot be built" ns r "$B/router" --handover -c "$CONF" -R "$ROUTER_DIR"
check "it goes on" lib_running
cp "$T/good.yaml" "$CONF"
check_not "nor from another network namespace" ns a "$B/router" --handover -c "$CONF" -R "$ROUTER_DIR"
check "it goes on" lib_running
check_not "there is nothing to take over elsewhere" ns r "$B/router" --handover -c "$CONF" -R /run/other
finish
