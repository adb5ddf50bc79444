#!/bin/bash
# tests/vm/linux_6_12.sh: Debian's kernel 6.12. It has no zero-copy on virtio-net: copy mode, and why.
. "$(dirname "$0")/lib" -n virtio -k 6.12
. "$(dirname "$0")/copy"
vm_topo || skip_all "the ports did not come up"
routed
is "it is $(uname -r), and every socket is in copy mode" "$(modes)" "copy copy copy copy"
check "show xdp says why" test -n "$(ctl_json 'd[0]["why"] or ""' show xdp)"
note "$(uname -r): $(ctl_json 'd[0]["why"]' show xdp)"
works_in_copy_mode
finish
