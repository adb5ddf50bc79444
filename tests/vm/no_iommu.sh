#!/bin/bash
# tests/vm/no_iommu.sh: virtio-net whose DMA is not real announces zero-copy and then refuses the bind. The
# bind is believed: copy mode and the reason, or no port where nothing but zero-copy will do.
. "$(dirname "$0")/lib" -n no-iommu
. "$(dirname "$0")/copy"
vm_topo || skip_all "the ports did not come up"
refused='zero-copy bind: Invalid argument'

routed
is "every socket falls back to copy mode" "$(modes)" "copy copy copy copy"
is "show xdp says why, of each" "$(ctl_json 'sorted({r["why"] for r in d})[0][:32]' show xdp)" "$refused"
check "and what is missing" grep -q iommu_platform <(ctl show xdp)
check "so does the log" grep -q "port dut0 open: 2 queues, copy mode ($refused" "$(lib_log)"
works_in_copy_mode
check "the router stops" router_stop

# xdp.mode: zero-copy
interfaces='dut0: {xdp: {mode: zero-copy}}, dut1: {}'
routed
is "dut1 alone opens where dut0 must have zero-copy" "$(modes)" "copy copy"
check "the log says why not dut0" grep -q "dut0: .*$refused.*allows no other" "$(lib_log)"
check "show interfaces says it, too" grep -q "$refused" <(ctl -j show interfaces)
note "$(grep 'allows no other' "$(lib_log)")"
finish
