#!/bin/bash
# tests/systemd/units.sh: what can be said about the units without starting them.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh
command -v systemd-analyze > /dev/null || skip_all "no systemd here"
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
units="router.service router@.service"

# verify: a root with nothing but our units, and programs where they say. What it warns of, it says.
mkdir -p "$T"/root/usr/{sbin,bin,lib/systemd/system} "$T/root/bin" "$T/root/etc"
for program in usr/sbin/router usr/bin/routerctl bin/mkdir; do
	cp /bin/true "$T/root/$program"
done
for unit in $units; do
	cp "systemd/$unit" "$T/root/usr/lib/systemd/system/"
done
said=$(systemd-analyze verify --man=no --root="$T/root" --recursive-errors=no router.service router@x.service 2>&1)
is "systemd understands every line of the units" "$said" ""

for unit in $units; do
	check "$unit: exposure of at most 2.0" systemd-analyze security --no-pager --offline=true --threshold=20 \
		"systemd/$unit"
done

is "the watchdog bites after 10 seconds" "$(sed -n 's/^WatchdogSec=//p' systemd/router.service)" 10

# What the two have to have in common stands below a line of its own.
for unit in $units; do
	sed -n '/^# --- The sandbox/,$p' "systemd/$unit" > "$T/$unit"
done
check "the sandbox is not empty" test "$(wc -l < "$T/router.service")" -gt 30
check "the sandbox is the same in both" diff "$T/router.service" "$T/router@.service"
capabilities=$(sed -n 's/^CapabilityBoundingSet=//p' systemd/router.service)
is "four capabilities, no more" "$capabilities" "CAP_NET_RAW CAP_NET_ADMIN CAP_BPF CAP_IPC_LOCK"

check "systemd-sysusers makes the user and the group" \
	systemd-sysusers --root="$T/root" "$PWD/systemd/router.sysusers"
check "the group is there" grep -q '^router:' "$T/root/etc/group"
check "the user may not log in" grep -q '^router:.*:/usr/sbin/nologin$' "$T/root/etc/passwd"
finish
