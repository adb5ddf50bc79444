# shellcheck shell=bash disable=SC2034
# tests/bench/lib.sh - veth benchmarks: a topology, where its work runs, Linux's own figure.
#
#   gen --g0====in0-- rtr --out0====s0-- sink        g0, in0, out0, s0 are veth ends
#
#   bench_topology_up | bench_topology_down
#   bench_pin_napi NS DEV CPU | bench_unpin_napi NS DEV
#   bench_run SECONDS [GEN-ARGUMENT...]      generator to sink; the reports are in $T/gen, $T/sink
#   bench_linux_forward [gro|xdp] [SECONDS]  prints packets per second
#   bench_sink_up [SINK-ARGUMENT...] | bench_sink_down       what bench_run does at its sink's side
#   bench_value KEY FILE                     one number of a report
#   bench_lost                               packets handed over in $T/gen that are not in $T/sink
#   bench_router_up | bench_router_down      the router in rtr with $T/router.yaml; $bench_router: its pid
#   bench_ctl ARGUMENT...                    asks it
#   bench_median [COLUMN]                    of the lines on stdin
#
# Where each stage runs. The generator's frames leave by ndo_xdp_xmit on BENCH_GEN_CPU (1) and land
# in a ring of 256 entries of in0. Who takes them out is in0's NAPI:
#   not threaded  a softirq on the CPU that put them there, so on the generator's. BPF_PROG_RUN
#                 enables softirqs after each batch, so the ring does not overflow: the
#                 generator is slowed down by the work of receiving.
#   threaded      the kernel thread napi/in0-ID, which bench_pin_napi puts on a CPU. The generator
#                 is not slowed down and drops what does not fit the ring (its report's "dropped").
# out0 and s0: veth_xmit hands packets to the receive side of s0 on the CPU it runs on. So pktgen's
# sink (an XDP program that counts and drops) runs on whichever core forwards, for Linux as for an
# AF_XDP worker, whose sendto ends in the same veth_xmit. veth.sh has a sink that does not.
#
#   row        generator  in0's NAPI                forwarding              the sink of veth.sh
#   Linux      1          thread on 0               in that NAPI: 0         1, by RPS
#   veth-fwd   1          softirq on 1              worker on 0             1, by RPS
#   veth-one   1          thread on 0               worker on 0             1, by RPS
#
# Linux forwards with static neighbours and no netfilter rules. To take XDP frames, in0 must poll:
# with GRO on, or with an XDP program that passes all. bench_linux_forward does either.
#
# Sourcing this starts the script again with mount and network namespaces of its own, but not with
# pids of its own: a kernel thread can be pinned only by who can see it.
set -u
bench_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
if [ -z "${BENCH_WORLD:-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "needs root for network namespaces" >&2; exit 77; }
	BENCH_WORLD=1 exec unshare --mount --net --propagation private bash "$0" "$@"
fi
B=${B:-build/release}
case $B in /*) ;; *) B=$bench_top/$B ;; esac
BENCH_GEN_CPU=${BENCH_GEN_CPU:-1} BENCH_FWD_CPU=${BENCH_FWD_CPU:-0}
mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/netns /run/bench || exit 77
T=/run/bench
bench_in_mac=02:00:00:00:01:02 bench_sink_mac=02:00:00:00:02:02
# 65,536 flows: 256 sources by 256 destinations, from the ranges set aside for benchmarks.
bench_flows4=(--flows 65536 --src 198.18.0.1-198.18.1.0 --dst 198.19.0.1-198.19.1.0)
bench_flows6=(--flows 65536 --src 2001:2:0:1::1-2001:2:0:1::100 --dst 2001:2:0:2::1-2001:2:0:2::100)
trap 'exit 143' TERM INT HUP
trap bench_end EXIT

# bench_ns NAME CMD...: with the namespace's own /sys, where its devices' threaded file is.
bench_ns()
{
	ip netns exec "$@"
}

bench_topology_up()
{
	local n
	for n in gen rtr sink; do
		ip netns add $n && ip -n $n link set lo up || return
		bench_ns $n sysctl -qw net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.default.router_solicitations=0 \
			net.ipv6.conf.default.accept_dad=0
	done
	ip -n gen link add g0 type veth peer name in0 netns rtr address $bench_in_mac
	ip -n rtr link add out0 type veth peer name s0 netns sink address $bench_sink_mac
	for n in "gen g0" "rtr in0" "rtr out0" "sink s0"; do
		ip -n ${n% *} link set ${n#* } up || return
	done
	bench_ns rtr sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	bench_route in0 10.1.0 198.18.0.0/16 2001:2:1 2001:2:0:1::/64 "$(bench_mac gen g0)" &&
		bench_route out0 10.2.0 198.19.0.0/16 2001:2:2 2001:2:0:2::/64 $bench_sink_mac
}

bench_mac()
{
	ip -n "$1" -o link show "$2" | sed 's/.*link.ether \([^ ]*\).*/\1/'
}

# bench_route DEV NET4 PREFIX4 NET6 PREFIX6 MAC: rtr is .1 and ::1, the neighbour .2 and ::2.
bench_route()
{
	ip -n rtr addr add "$2.1/24" dev "$1" && ip -n rtr addr add "$4::1/64" dev "$1" nodad &&
		ip -n rtr neigh replace "$2.2" lladdr "$6" dev "$1" &&
		ip -n rtr neigh replace "$4::2" lladdr "$6" dev "$1" &&
		ip -n rtr route add "$3" via "$2.2" && ip -n rtr -6 route add "$5" via "$4::2"
}

bench_topology_down()
{
	local n
	for n in gen rtr sink; do
		ip netns del $n 2> /dev/null
	done
}

# Whatever way the script ends, its own background processes go, and with them its namespaces.
bench_end()
{
	local pids
	pids=$(jobs -p)
	[ -z "$pids" ] || kill $pids 2> /dev/null
	wait
	bench_topology_down
}

# The threads that poll devices of this name, anywhere on the machine.
bench_napi_threads()
{
	grep -ls "^napi/$1-" /proc/[0-9]*/comm | cut -d/ -f3 | sort
}

# bench_pin_napi NS DEV CPU: DEV must poll already (GRO, an XDP program), or there is no thread yet.
# Other namespaces may have devices of that name: ours are the threads that appear. Kernels before
# 6.17 let them sleep when they are switched off, so that they may be there from the last time.
declare -A bench_threads=()
bench_pin_napi()
{
	local before pid new
	bench_unpin_napi "$1" "$2" || return
	before=$(bench_napi_threads "$2")
	bench_ns "$1" sh -c "echo 1 > /sys/class/net/$2/threaded" || return
	new=$(comm -13 <(echo "$before") <(bench_napi_threads "$2"))
	bench_threads[$1/$2]=${new:-${bench_threads[$1/$2]:-}}
	[ -n "${bench_threads[$1/$2]}" ] || { echo "$2 has no NAPI thread" >&2; return 1; }
	for pid in ${bench_threads[$1/$2]}; do
		taskset -pc "$3" "$pid" > /dev/null || return
	done
}

bench_unpin_napi()
{
	bench_ns "$1" sh -c "echo 0 > /sys/class/net/$2/threaded"
}

# bench_run SECONDS [GEN-ARGUMENT...]
bench_run()
{
	local seconds=$1
	shift
	[ $# != 0 ] || set -- "${bench_flows4[@]}"
	bench_sink_up || return
	ip netns exec gen "$B/tests/tools/pktgen" gen g0 --dst-mac $bench_in_mac --cpu "$BENCH_GEN_CPU" \
		--time "$seconds" -j "$@" > "$T/gen" || return
	sleep 0.1
	bench_sink_down
}

# shellcheck disable=SC2120 # load.sh and routes.sh pass some
bench_sink_up()
{
	local tries=0
	ip netns exec sink "$B/tests/tools/pktgen" sink s0 -j "$@" > "$T/sink.out" &
	bench_sink=$!
	until grep -qs ready "$T/sink.out"; do
		[ $((++tries)) -lt 100 ] && sleep 0.05 || return
	done
}

bench_sink_down()
{
	kill -INT "$bench_sink" && wait "$bench_sink" && tail -n 1 "$T/sink.out" > "$T/sink"
}

bench_value()
{
	sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$2"
}

bench_lost()
{
	echo $(($(bench_value packets "$T/gen") - $(bench_value dropped "$T/gen") - $(bench_value packets "$T/sink")))
}

bench_median()
{
	awk -v column="${1:-1}" '{ print $column }' | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

bench_ctl()
{
	"$B/routerctl" -R "$T/run" "$@"
}

bench_router_up()
{
	local until=$((SECONDS + 60))
	ip netns exec rtr "$B/router" -c "$T/router.yaml" -R "$T/run" 2> "$T/router.log" &
	bench_router=$!
	until bench_ctl show status 2> /dev/null | grep -q running; do
		if ! kill -0 $bench_router 2> /dev/null || [ $SECONDS -ge $until ]; then
			cat "$T/router.log" >&2
			return 1
		fi
		sleep 0.01
	done
}

bench_router_down()
{
	kill "$bench_router" && wait "$bench_router"
}

# bench_napi_ns NS DEV: nanoseconds that the pinned threads have run.
bench_napi_ns()
{
	local pid ns rest sum=0
	for pid in ${bench_threads[$1/$2]}; do
		read -r ns rest < "/proc/$pid/schedstat" && sum=$((sum + ns))
	done
	echo $sum
}

# bench_linux_forward [gro|xdp] [SECONDS] [GEN-ARGUMENT...]: leaves in0 with GRO off. $T/share says
# how many percent of its core the forwarding thread got: well below 100 is a disturbed run.
bench_linux_forward()
{
	local how=${1:-xdp} seconds=${2:-5} rc start=0 pass=$B/gen/tests/tools/pktgen/pass.bpf.o
	shift $(($# < 2 ? $# : 2))
	case $how in
	gro) bench_ns rtr ethtool -K in0 gro on ;;
	xdp) bench_ns rtr ethtool -K in0 gro off && ip -n rtr link set in0 xdpdrv obj "$pass" sec xdp ;;
	*) return 2 ;;
	esac || return
	bench_pin_napi rtr in0 "$BENCH_FWD_CPU" && start=$(bench_napi_ns rtr in0) &&
		bench_run "$seconds" "$@" && bench_value pps "$T/sink"
	rc=$?
	awk -v ns=$(($(bench_napi_ns rtr in0) - start)) -v s="$seconds" \
		'BEGIN { printf "%.0f\n", ns / s / 1e7 }' > "$T/share"
	bench_unpin_napi rtr in0 # while it polls: a device without NAPI refuses
	case $how in
	gro) bench_ns rtr ethtool -K in0 gro off ;;
	xdp) ip -n rtr link set in0 xdpdrv off ;;
	esac
	return $rc
}
