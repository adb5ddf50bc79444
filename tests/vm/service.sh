#!/bin/bash
# tests/vm/service.sh: the package in a machine of its own, where systemd is PID 1 and the ports are
# virtio-net in zero-copy mode: install, start, reload, kill under traffic, hang, stop.
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${VM:-}" ]; then # a package of what is built now
	top=$here/../..
	"$here/fetch" || exit
	set -- "$top"/build/deb/router_*.deb
	[ "$1" -nt "$top/build/release/router" ] || "$top/debian/build" "$top/build/deb" > /dev/null || exit
	shift $#
fi
TEST_WORLD=machine
. "$here/lib" -n virtio
lossless=1 # a killed router's packets wait in its rings: none is lost

all='zero-copy zero-copy zero-copy zero-copy'
B=/usr/bin
trap 'rc=$?; journalctl -u "router*" -o short-monotonic --no-pager > "$T/journal.log"; (exit $rc); lib_exit' EXIT

property()
{
	systemctl show "${2:-router}" -p "$1" --value
}

# replaced PID: another process runs as the service, and serves all queues.
replaced()
{
	[ "$(property MainPID)" != "$1" ] && systemctl is-active router && [ "$(modes)" = "$all" ]
}

# ---- installed
vm_topo || skip_all "the ports did not come up"
check "the package installs" dpkg -i "$TOP"/build/deb/router_*.deb
is "nothing runs by itself" "$(systemctl is-active router)" inactive
printf 'version: 1\ninterfaces: {dut0: {}, dut1: {}}\n' > /etc/router/router.yaml

# ---- it runs, in its sandbox
check "systemctl start router" systemctl start router
is "ready means forwarding, by zero-copy" "$(modes)" "$all"
note "status: $(property StatusText)"
check "STATUS says it in words" grep -q '[a-z]' <(property StatusText)
check "the first packet gets through" ns a ping -q -c 3 -i 0.2 -W 2 10.0.2.2
pid=$(property MainPID)
# NET_ADMIN is bit 12, NET_RAW 13, IPC_LOCK 14, BPF 39.
for set in CapPrm CapEff CapBnd; do
	is "$set is NET_RAW, NET_ADMIN, BPF, IPC_LOCK and no other" \
		"$(sed -n "s/^$set:\t//p" "/proc/$pid/status")" 0000008000007000
done
level=$(systemd-analyze security --no-pager router | sed -n 's/.*exposure level for router.service: \([0-9.]*\).*/\1/p')
check "systemd-analyze security says $level: at most 2.0" awk -v l="$level" 'BEGIN { exit !(l != "" && l <= 2.0) }'
flood "the service forwards: sent is arrived and dropped" 5000 2500 "${v4[@]}"
check "nearly all arrived" nearly 5000

# ---- reload
printf 'routing: {routes: [{to: 10.9.0.0/16, via: 10.0.2.2}]}\n' >> /etc/router/router.yaml
check "a good file reloads" systemctl reload router
check "and is in force" grep -q 'via 10.0.2.2' <(ip route show 10.9.0.0/16)
printf 'interfacs: {}\n' >> /etc/router/router.yaml
check_not "a bad file fails the reload" systemctl reload router
is "and changes nothing: the same process goes on" "$(systemctl is-active router) $(property MainPID)" "active $pid"
sed -i '$d' /etc/router/router.yaml
journalctl --sync
journalctl -u router -o json --no-pager > "$T/journal"
check "the journal has the error by its priority, place and name" python3 - "$T/journal" <<'END'
import json, sys
for line in open(sys.argv[1]):
    r = json.loads(line)
    if r["PRIORITY"] == "3" and "router.yaml:4:1" in r["MESSAGE"] and r["SYSLOG_IDENTIFIER"] == "router":
        assert r["_SYSTEMD_UNIT"] == "router.service"
        sys.exit(0)
sys.exit("no such record")
END

# ---- it dies under traffic. So few a second that a ring of 2,048 holds what comes meanwhile, on a
# machine that takes its time.
flood_start 5000 400 "${v4[@]}"
sleep 2
systemctl kill -s KILL router
check "a killed router is replaced" eventually 30 replaced "$pid"
since=$(property ActiveExitTimestampMonotonic) until=$(property ActiveEnterTimestampMonotonic)
note "and ready again after $(((until - since) / 1000)) ms"
flood_end
missing() { missing=$(($(pktgen_sent) - $(arrived))); echo "$missing missing"; [ $missing = 0 ]; }
eventually 5 missing > "$T/missing"
note "of $(pktgen_sent) packets around kill -9, $(cat "$T/missing")"
[ $lossless = 0 ] || is "none of the packets around kill -9 is lost" "$(cat "$T/missing")" "0 missing"
check_conservation

# ---- it hangs
pid=$(property MainPID)
check "a working router feeds its watchdog" test "$(property WatchdogUSec)" = 10s
kill -STOP "$pid"
check "a hung one is replaced" eventually 60 replaced "$pid"
flood "the next one forwards: sent is arrived and dropped" 5000 2500 "${v4[@]}"
check "nearly all arrived" nearly 5000

# ---- a router of a network namespace
ns_add blue && veth blue port0 blue port1
printf 'version: 1\ninterfaces: {port0: {}}\n' > /etc/router/blue.yaml
check "systemctl start router@blue" systemctl start router@blue
is "it serves the port in there" "$(routerctl -R /run/router-blue -j show xdp | json - 'd[0]["name"]')" port0
check "it stops" systemctl stop router@blue

# ---- stop
check "systemctl stop router" systemctl stop router
is "it is inactive, and content" "$(property ActiveState) $(property Result)" "inactive success"
is "no program is left on the ports" "$(ip -d link | grep -c 'prog/xdp')" 0
is "no socket" "$(ss -Ha -A xdp | wc -l)" 0
is "no pin" "$(find /sys/fs/bpf/router* -type f 2> /dev/null | wc -l)" 0
is "no descriptor with systemd" "$(property NFileDescriptorStore)" 0
is "nothing failed on the way" "$(systemctl --failed --no-legend)" ""
finish
