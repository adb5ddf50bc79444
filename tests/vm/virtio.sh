#!/bin/bash
# tests/vm/virtio.sh: zero-copy between two virtio-net ports of two queues each.
. "$(dirname "$0")/lib" -n virtio
vm_topo || skip_all "the ports did not come up"
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
