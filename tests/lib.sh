# shellcheck shell=bash disable=SC2034,SC2015
# tests/lib.sh - what the shell tests share: TAP, network namespaces, a router under test.
#
# A test is a bash script that starts with
#     . "$(dirname "$0")/../lib.sh"
# and ends with `finish`. Sourcing this file runs the script again in mount and pid namespaces of
# its own, with an empty /run and an empty bpffs. So names (network namespaces, run directories,
# pins) cannot clash with another test or with the host, and whatever way the test ends, the kernel
# takes away its processes, namespaces, devices, programs and files. What cannot be had without
# root ends the test with status 77, which tests/run counts as skipped.
#
#   TAP        ok WHAT | not_ok WHAT [WHY...] | skip WHAT WHY | note TEXT | skip_all WHY | finish
#   checks     check WHAT CMD... | check_not WHAT CMD... | is WHAT GOT WANT | eventually SECS CMD...
#   namespaces ns_add NAME... | ns NAME CMD... | ns_bg NAME CMD... | veth NS1 DEV1 NS2 DEV2 [QUEUES]
#              topo_three [QUEUES] | host_addr NS DEV ADDR...
#   router     router_start [YAML|-] | router_spawn [YAML|-] | router_wait | router_stop | router_kill
#              ctl ARGS... | json FILE|- EXPR | ctl_json EXPR ARGS... | check_conservation
#   ROUTER_NS and ROUTER_DIR (default r, /run/router) choose which router is meant, for a test that
#   runs two of them. B is the build directory; T a directory that vanishes with the test.
set -u
lib_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$lib_top/tests/tap.sh"

# ---- a world of our own
if [ -z "${TEST_WORLD:-}" ]; then
	[ "$(id -u)" = 0 ] || skip_all "needs root for network namespaces"
	unshare --mount --pid --fork --net true 2> /dev/null || skip_all "may not unshare namespaces here"
	# kill-child: a killed test leaves nothing running. setarch -R: ThreadSanitizer of gcc 12
	# cannot live with the address randomisation of recent kernels.
	export TEST_WORLD=1
	exec setarch -R unshare --mount --propagation private --pid --mount-proc --fork --kill-child \
		--net bash "$0" "$@"
fi
B=${B:-build/release}
case $B in /*) ;; *) B=$lib_top/$B ;; esac
trap 'exit 143' TERM INT HUP
trap lib_exit EXIT
if [ "$TEST_WORLD" != machine ]; then # tests/vm may have given us a whole one
	mount -t tmpfs -o mode=755 tmpfs /run || skip_all "may not mount a tmpfs"
	mount -t bpf bpf /sys/fs/bpf 2> /dev/null || skip_all "may not mount a bpffs"
fi
mkdir -p /run/netns /run/test
T=/run/test
ROUTER_NS=r ROUTER_DIR=/run/router
declare -A lib_pid=() # run directory -> pid of the router in it
lib_done=0

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:exitcode=99}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=0:exitcode=66:second_deadlock_stack=1}

# finish: ends the routers that still run, which must leave cleanly, and the test.
finish()
{
	local dir
	for dir in "${!lib_pid[@]}"; do
		ROUTER_DIR=$dir
		check "the router in $dir ends with status 0" router_stop
	done
	lib_done=1
	exit $tap_failed
}

lib_exit()
{
	local rc=$? log
	if [ $lib_done = 0 ] && [ $rc != 143 ] && [ $rc != 77 ]; then
		not_ok "the script reaches its end" "it left with status $rc"
		rc=1
	fi
	if [ $tap_failed != 0 ]; then
		for log in "$T"/*.log; do
			[ -s "$log" ] || continue
			echo "# --- the last lines of $(basename "$log")"
			tail -n 40 "$log" | sed 's/^/#   /'
		done
	fi
	exit "$rc"
}

# ---- namespaces
ns_add()
{
	local n
	for n in "$@"; do
		ip netns add "$n" && ip -n "$n" link set lo up || return
		ns "$n" sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 \
			net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.default.router_solicitations=0
	done
}

# ns NAME CMD...: like `ip netns exec`, but leaves /sys as it is: there is only one bpffs.
ns()
{
	local n=$1
	shift
	nsenter --net="/run/netns/$n" -- "$@"
}

# ns_bg NAME CMD...: in the background; afterwards $! is the command's own pid.
ns_bg()
{
	local n=$1
	shift
	nsenter --net="/run/netns/$n" -- "$@" &
}

# veth NS1 DEV1 NS2 DEV2 [QUEUES]: a cable, up at both ends.
veth()
{
	local q=${5:-1}
	ip -n "$1" link add "$2" numrxqueues "$q" numtxqueues "$q" type veth \
		peer name "$4" netns "$3" numrxqueues "$q" numtxqueues "$q" || return
	ip -n "$1" link set "$2" up && ip -n "$3" link set "$4" up
}

# topo_three [QUEUES]: host a -- lan0 [router's namespace r] wan0 -- host b
#   a: a0 10.0.1.2/24 2001:db8:1::2/64, default by .1 / ::1 of lan0
#   b: b0 10.0.2.2/24 2001:db8:2::2/64, default by .1 / ::1 of wan0
topo_three()
{
	ns_add a r b || return
	veth a a0 r lan0 "${1:-1}" && veth r wan0 b b0 "${1:-1}" || return
	host_addr a a0 10.0.1.2/24 2001:db8:1::2/64 && host_addr r lan0 10.0.1.1/24 2001:db8:1::1/64 &&
		host_addr r wan0 10.0.2.1/24 2001:db8:2::1/64 &&
		host_addr b b0 10.0.2.2/24 2001:db8:2::2/64 || return
	ip -n a route add default via 10.0.1.1 && ip -n a -6 route add default via 2001:db8:1::1
	ip -n b route add default via 10.0.2.1 && ip -n b -6 route add default via 2001:db8:2::1
}

# host_addr NS DEV ADDR...: addresses that work at once (no duplicate address detection).
host_addr()
{
	local n=$1 dev=$2 a
	shift 2
	for a in "$@"; do
		case $a in
		*:*) ip -n "$n" addr add "$a" dev "$dev" nodad ;;
		*) ip -n "$n" addr add "$a" dev "$dev" ;;
		esac || return
	done
}

# ---- the router
lib_log()
{
	echo "$T/router${ROUTER_DIR//\//-}.log"
}

# KEEPER: a service manager that runs the router and starts it again, as tests/tools/keeper.py with its
# options; router_kill then ends both.
# router_spawn [YAML|-]: starts it in the background and does not wait. The configuration is a file,
# or - for stdin, or by default lan0 and wan0 of topo_three with nothing asked for. What is written
# to $T/CONF later is what `ctl reload` reads.
router_spawn()
{
	local conf=$T/router${ROUTER_DIR//\//-}.yaml
	[ -x "$B/router" ] || { not_ok "$B/router is built"; lib_done=1; exit 1; }
	CONF=$conf
	case ${1:-} in
	'') printf 'version: 1\ninterfaces:\n  lan0: {}\n  wan0: {}\n' > "$conf" ;;
	-) cat > "$conf" ;;
	*) [ "$1" -ef "$conf" ] || cp "$1" "$conf" || return ;;
	esac
	mkdir -p "$ROUTER_DIR"
	# shellcheck disable=SC2086 # KEEPER: nothing, or a service manager with its options
	ns_bg "$ROUTER_NS" ${KEEPER:-} "$B/router" -c "$conf" -R "$ROUTER_DIR" >> "$(lib_log)" 2>&1 < /dev/null
	lib_pid[$ROUTER_DIR]=$!
}

lib_running()
{
	kill -0 "${lib_pid[$ROUTER_DIR]}" 2> /dev/null || return
	[ "$(ctl_json 'd["state"]' show status 2> /dev/null)" = running ]
}

# router_wait: until it says that it runs, or is gone, or the time is up.
router_wait()
{
	local until=$((SECONDS + 20))
	until lib_running; do
		if ! kill -0 "${lib_pid[$ROUTER_DIR]}" 2> /dev/null; then
			unset "lib_pid[$ROUTER_DIR]"
			return 1
		fi
		[ $SECONDS -lt $until ] || return 1
		sleep 0.05
	done
}

# router_start [YAML|-]: a test has no use for a router that does not come up: it ends there.
router_start()
{
	router_spawn "$@" || exit
	router_wait && return
	not_ok "the router starts"
	lib_done=1
	exit 1
}

lib_gone()
{
	! kill -0 "${lib_pid[$ROUTER_DIR]}" 2> /dev/null
}

# router_stop: as systemd does it. Returns its exit status: not 0 when a sanitizer found something.
router_stop()
{
	local pid=${lib_pid[$ROUTER_DIR]:-} rc
	[ -n "$pid" ] || { echo "no router was running in $ROUTER_DIR"; return 1; }
	kill -TERM "$pid"
	if ! eventually 20 lib_gone; then
		echo "still there 20 s after SIGTERM"
		kill -KILL "$pid"
	fi
	wait "$pid"
	rc=$?
	unset "lib_pid[$ROUTER_DIR]"
	[ $rc = 0 ] || echo "exit status $rc"
	return $rc
}

# router_kill [SIGNAL]: without a chance to clean up.
router_kill()
{
	local pid=${lib_pid[$ROUTER_DIR]}
	kill "-${1:-KILL}" "$pid"
	wait "$pid" 2> /dev/null
	unset "lib_pid[$ROUTER_DIR]"
}

# router_pid: also of one that runs under a KEEPER.
router_pid()
{
	ctl_json 'd["pid"]' show status
}

# ctl ARGS...: asks the router under test.
ctl()
{
	"$B/routerctl" -R "$ROUTER_DIR" "$@"
}

# ctl_json EXPR ARGS...: the same over a command's answer: ctl_json 'd["frames"]' show memory
ctl_json()
{
	local expr=$1 answer
	shift
	answer=$(ctl -j "$@") || return
	json - "$expr" <<< "$answer"
}

# show_if DEV KEY: one number of `show interfaces -s`.
show_if()
{
	ctl_json "[r for r in d if r['name'] == '$1'][0]['$2']" show interfaces -s
}

# drops REASON: packets dropped for that reason, by all stages.
drops()
{
	ctl_json "sum(r['packets'] for r in d if r['reason'] == '$1')" show drops
}

# ---- what came in is what went out plus what was dropped with a reason
lib_frames_add_up()
{
	local m
	m=$(ctl -j show memory) || return
	echo "$m"
	[ "$(json - 'd["missing"] == 0 and d["frames"] == sum(d[k] for k in
		("free", "held", "posted", "sent", "quarantined", "missing"))' <<< "$m")" = true ]
}

lib_packets_add_up()
{
	local t reasons
	t=$(ctl -j show status) && reasons=$(ctl_json 'sum(r["packets"] for r in d
		if r["stage"] != "kernel")' show drops) || return # those were never received
	echo "$t; drops by reason: $reasons"
	[ "$(json - "d['rx_packets'] + d['generated'] == d['tx_packets'] + d['dropped'] + d['held']
		and d['dropped'] == $reasons" <<< "$t")" = true ]
}

# check_conservation: at the end of every test, traffic having stopped. Counters that another thread
# is still moving settle within moments; what does not settle is a leak.
check_conservation()
{
	check "every frame of the memory is accounted for" eventually 3 lib_frames_add_up
	check "every packet received was sent or dropped with a reason" eventually 3 lib_packets_add_up
}
