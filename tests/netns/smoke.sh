#!/bin/bash
# tests/netns/smoke.sh: two hosts, a router between them, nothing configured but its two ports.
# check: thread
. "$(dirname "$0")/../lib.sh"
topo_three 2
check_not "before the router runs, nothing is forwarded" ns a ping -q -c 1 -W 1 10.0.2.2
router_start
check "IPv4: the first packet gets through" ns a ping -q -c 5 -i 0.2 -W 2 10.0.2.2
check "IPv6: the first packet gets through" ns a ping -q -c 5 -i 0.2 -W 2 2001:db8:2::2
check "the router's own addresses are still Linux's" ns a ping -q -c 2 -i 0.2 -W 2 10.0.1.1
check "and the far one too" ns b ping -q -c 2 -i 0.2 -W 2 2001:db8:1::1
is "all of the ten requests came in at lan0" "$(show_if lan0 rx_packets)" 10
is "all of the ten replies left by lan0" "$(show_if lan0 tx_packets)" 10
is "none was dropped" "$(ctl_json 'd["dropped"]' show status)" 0
check_conservation
check "it stops" router_stop
check_not "no program is left on the ports" sh -c 'ip -n r -d link | grep xdp'
check_not "no pins are left" sh -c 'find /sys/fs/bpf/router -type f 2> /dev/null | grep .'
finish
