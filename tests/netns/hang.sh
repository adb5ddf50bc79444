#!/bin/bash
# tests/netns/hang.sh: of two workers one hangs, while control and the other one live: systemd's watchdog
# hears nothing until it moves again, be it that control sees it, or waits for it.
# check: heavy
. "$(dirname "$0")/../lib.sh"
topo_three 2

# What a service manager hears: a line a message.
cat > "$T/hear.py" << 'END'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\0router-hang")
out = open(sys.argv[1], "w", buffering=1)
while True:
    out.write(s.recv(4096).decode().replace("\n", " ") + "\n")
END
ns_bg r python3 "$T/hear.py" "$T/heard"
check "somebody listens" eventually 5 test -e "$T/heard"
export NOTIFY_SOCKET=@router-hang WATCHDOG_USEC=400000

# stopped THREAD SECONDS: a thread of the router stands still for so long.
stopped()
{
	python3 - "$(router_pid)" "$1" "$2" << 'END'
import ctypes, os, sys, time
pid, name, seconds = sys.argv[1:]
[tid] = [int(t) for t in os.listdir(f"/proc/{pid}/task") if open(f"/proc/{pid}/task/{t}/comm").read().strip() == name]
SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
for request in SEIZE, INTERRUPT:
    if ptrace(request, tid, None, None):
        sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(tid, 0x40000000)  # __WALL
time.sleep(float(seconds))
sys.exit(ptrace(DETACH, tid, None, None))
END
}

beats()
{
	grep -c '^WATCHDOG=1' "$T/heard"
}

more_beats()
{
	[ "$(beats)" -gt $(($1 + 3)) ]
}

router_start - << 'END'
version: 1
router: {workers: {count: 2, mode: busy}}
interfaces: {lan0: {}, wan0: {}}
END
check "the watchdog is fed" eventually 5 more_beats "$(beats)"
stopped worker-1 3 &
hung=$!
sleep 1.2
before=$(beats)
sleep 1.2
is "a worker hangs: the watchdog is not" "$(beats)" "$before"
check "it goes on" wait $hung
check "the watchdog is fed again" eventually 5 more_beats "$(beats)"
check "and packets pass" ns a ping -q -c 2 -i 0.2 10.0.2.2
check_conservation
finish
