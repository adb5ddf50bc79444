#!/bin/bash
# latency.sh [SECONDS]: how long packets are under way at a tenth of the rate that Linux forwards at most, through
# Linux and through us on the same two veths, in turns; prints medians of the rounds
#     OURS-P50 OURS-P99 LINUX-P50 LINUX-P99 PPS      in ns, from the generator's clock to the sink's XDP program
# The way there is the same for both (tests/bench/lib.sh, "Linux" and "veth-fwd"): Linux forwards in in0's NAPI
# thread on CPU 0, our worker on CPU 0; either is woken from the generator's core.
. "$(dirname "$0")/lib.sh"
seconds=${1:-2} rounds=${ROUNDS:-5}

cat > "$T/router.yaml" << X
version: 1
router:
  workers: {cpus: [$BENCH_FWD_CPU], mode: ${BENCH_MODE:-adaptive}}
interfaces: {in0: {}, out0: {}}
X

# quantiles FILE: p50 and p99 of the sink's report
quantiles()
{
	echo "$(bench_value p50 "$1") $(bench_value p99 "$1")"
}

ours()
{
	local rc
	bench_ns rtr sysctl -qw net.ipv4.ip_forward=0
	bench_router_up || return
	bench_run "$seconds" "${bench_flows4[@]}" --rate "$rate" && quantiles "$T/sink"
	rc=$?
	bench_router_down
	bench_ns rtr sysctl -qw net.ipv4.ip_forward=1
	return $rc
}

linux()
{
	bench_linux_forward xdp "$seconds" "${bench_flows4[@]}" --rate "$rate" > "$T/pps" && quantiles "$T/sink"
}

bench_topology_up || exit
rate=$(($(bench_linux_forward xdp 1) / 10)) || exit
for ((i = 0; i < rounds; i++)); do
	linux >> "$T/linux" && ours >> "$T/ours" || exit
done
[ -z "${BENCH_VERBOSE:-}" ] || paste "$T/linux" "$T/ours" >&2
echo "$(bench_median 1 < "$T/ours") $(bench_median 2 < "$T/ours")" \
	"$(bench_median 1 < "$T/linux") $(bench_median 2 < "$T/linux") $rate"
