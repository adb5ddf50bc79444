#!/bin/bash
# tests/vm/igb.sh: zero-copy between two igb ports of two queues each. Its receive buffers are whole KiB: of
# a frame of 2,048 bytes, 256 of which are headroom, it would use 1,024, and break longer packets in two.
. "$(dirname "$0")/lib" -n igb
vm_topo || skip_all "the ports did not come up"
routed
is "frames of 2,048 bytes: copy mode" "$(modes)" "copy copy copy copy"
check "show xdp says what would help" grep -q 'frame-size: 4096' <(ctl show xdp)
check "full frames get through" ns a ping -q -c 3 -i 0.2 -W 2 -s 1472 10.0.2.2
check_conservation
check "the router stops" router_stop

settings='memory: {frame-size: 4096}'
. "$(dirname "$0")/zero_copy"
forwarding
nat
shaping
ssh_beside
link_flap
queue_count
mixed
check_conservation
finish
