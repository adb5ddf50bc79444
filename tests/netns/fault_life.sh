#!/bin/bash
# tests/netns/fault_life.sh: the router's own death in all its forms: kill -9 and start again,
# SIGTERM, --cleanup, a second router, a foreign program, missing rights, a bad configuration.
. "$(dirname "$0")/../load.sh"

attached() # is a program on any port of ours?
{
	ip -n "${1:-$ROUTER_NS}" -d link | grep 'prog/xdp'
}

pinned()
{
	find /sys/fs/bpf/router -mindepth 2 2> /dev/null | grep .
}

# refused WHAT TEXT: the router spawned last ends with status 1 and has said TEXT.
refused()
{
	local rc
	router_gone
	rc=$?
	is "$1: exit status" $rc 1
	log_says "$1: and says why" "$2"
}

topo_three 2
router_start
passes "it forwards"

# ---- kill -9
load_start 2000
for i in 1 2 3; do
	router_kill KILL
	check "after kill -9 ($i) the program is still on the ports" attached
	router_start
	passes "the next one takes over what is pinned ($i)"
done
load_stop
check_not "none of them spoke of another's program" grep 'already has' "$(lib_log)"
check_conservation

# ---- a second one
mkdir -p "$T/second"
ns r timeout 10 "$B/router" -c "$CONF" -R "$ROUTER_DIR" > "$T/second.log" 2>&1
is "a second router on the same run directory ends with status 1" $? 1
check "saying that one runs already" grep 'a router runs already' "$T/second.log"
passes "the first is not disturbed"
ns r timeout 3 "$B/router" -c "$CONF" -R "$T/second" > "$T/second.log" 2>&1
check "one with another run directory is refused the ports" \
	grep 'lan0 queue 0: .*bound to another AF_XDP socket' "$T/second.log"
passes "the first is not disturbed by that either"

# ---- SIGTERM
check "SIGTERM ends it with status 0" router_stop
check_not "SIGTERM leaves no program" attached
check_not "and no pin" pinned
check_not "and no socket" sh -c "find $ROUTER_DIR -type s | grep ."

# ---- kill -9, --cleanup
router_start
router_kill KILL
check "kill -9 leaves a program" attached
check "router --cleanup" ns r "$B/router" --cleanup -R "$ROUTER_DIR"
check_not "leaves no program" attached
check_not "and no pin" pinned
check "a second --cleanup finds nothing to do" ns r "$B/router" --cleanup -R "$ROUTER_DIR"

# ---- a foreign program
ns_bg r "$B/tests/tools/pktgen" sink wan0 --time 100 > "$T/foreign"
foreign=$!
eventually 5 grep -q ready "$T/foreign" > /dev/null
router_start
log_says "a foreign program is refused by name" 'wan0 already has the XDP program "sink'
check "it is still there" ns r ip link show wan0
kill -INT $foreign
wait $foreign
passes "and the port is taken when it has gone"
router_stop

cat > "$T/pass.c" << END
__attribute__((section("xdp"), used)) int xdp_stranger(void *ctx) { return 2; }
char gpl[] __attribute__((section("license"), used)) = "GPL";
END
if clang -O2 -target bpf -c "$T/pass.c" -o "$T/pass.o" 2> "$T/load" &&
	bpftool prog load "$T/pass.o" /sys/fs/bpf/stranger type xdp 2> "$T/load" &&
	ns r bpftool net attach xdp pinned /sys/fs/bpf/stranger dev wan0; then
	router_start
	log_says "a foreign program by netlink is refused by name" 'wan0 already has the XDP program "xdp_stranger"'
	router_stop
	check "and is still there afterwards" sh -c "ip -n r -d link show wan0 | grep 'prog/xdp'"
	router_start - << END
version: 1
router: {xdp: {replace-foreign: true}}
interfaces: {lan0: {}, wan0: {}}
END
	passes "xdp.replace-foreign replaces it"
	check_conservation
	router_stop
else
	skip "a foreign program by netlink" "cannot be loaded: $(cat "$T/load")"
fi

# ---- rights
# lacking WHAT TEXT CAPABILITY...: a router that lacks those says TEXT, and does not run on.
lacking()
{
	local what=$1 text=$2 drop
	shift 2
	drop=$(printf -- ',-%s' "$@")
	ns r timeout 5 setpriv --bounding-set "${drop#,}" --inh-caps "${drop#,}" \
		"$B/router" -c "$CONF" -R "$ROUTER_DIR" > "$T/lacking" 2>&1
	check "without $what it says so" grep "$text" "$T/lacking"
}
lacking CAP_NET_ADMIN 'CAP_NET_ADMIN is missing' net_admin sys_admin
lacking CAP_NET_RAW 'needs CAP_NET_RAW' net_raw
lacking CAP_BPF 'CAP_BPF is missing' bpf sys_admin
check_not "and leaves nothing behind" attached

# ---- bad configurations
router_spawn - << END
version: 1
interfaces: {lan0: {}, wan0: {mtuu: 1500}}
nonsense: true
END
refused "a bad file" 'unknown key "nonsense"'
log_says "with all its mistakes" 'unknown key "mtuu".*'
router_start
cp "$CONF" "$T/good.yaml"
echo "interfaces: {lan0: {queues: many}}" > "$CONF"
ctl reload --wait > "$T/reload" 2>&1
is "reload of a bad file: exit status" $? 1
check "the mistake is shown" grep -i 'error' "$T/reload"
check "and that nothing has changed" grep 'running configuration unchanged' "$T/reload"
passes "it forwards as before"
is "the file is counted as refused" "$(ctl_json 'd["refused"]' show status)" 1
cp "$T/good.yaml" "$CONF"
check "a good file again" ctl reload --wait
rm "$CONF"
check_not "no file at all is refused too" ctl reload --wait
cp "$T/good.yaml" "$CONF"
passes "and forwards as before"
check_conservation
router_stop

# ---- a port that is not there yet
ip -n r link del wan0
router_start
check "it starts without one of its ports" ctl show status
veth r wan0 b b0 2 && host_addr r wan0 10.0.2.1/24 2001:db8:2::1/64 &&
	host_addr b b0 10.0.2.2/24 2001:db8:2::2/64
ip -n b route replace default via 10.0.2.1
ip -n b -6 route replace default via 2001:db8:2::1
passes "and opens it when it appears"
check_conservation
finish
