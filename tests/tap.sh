# shellcheck shell=bash disable=SC2015
# tests/tap.sh - results as TAP lines on stdout, for tests/run. tests/lib.sh brings it along; by
# itself it is for tests that need no network namespaces.
#
#   ok WHAT | not_ok WHAT [LINE...] | skip WHAT WHY | note TEXT | skip_all WHY
#   check WHAT CMD... | check_not WHAT CMD... | is WHAT GOT WANT | eventually SECS CMD...
#   json FILE|- EXPR
# A test ends with `finish`. T is a directory for its files.

tap_failed=0
ok()
{
	echo "ok - $1"
}

# not_ok WHAT [LINE...]: the lines say what was seen.
not_ok()
{
	echo "not ok - $1"
	shift
	[ $# = 0 ] || printf '%s\n' "$@" | sed 's/^/#   /'
	tap_failed=1
	return 1
}

skip()
{
	echo "ok - $1 # SKIP $2"
}

note()
{
	echo "# $*"
}

# skip_all WHY: nothing of this test can run here; only before the first result.
skip_all()
{
	echo "$1" >&2
	exit 77
}

# finish: the end, and the status. tests/lib.sh has more to do there.
finish()
{
	exit $tap_failed
}

# ---- checks
# check WHAT CMD...: passes if the command does; its output is shown when it does not. Runs it in
# this shell, so functions that set variables work too.
check()
{
	local what=$1
	shift
	if "$@" > "$T/seen" 2>&1; then
		ok "$what"
	else
		not_ok "$what" "\$ $*" "$(tail -n 30 "$T/seen")"
	fi
}

check_not()
{
	local what=$1
	shift
	if "$@" > "$T/seen" 2>&1; then
		not_ok "$what" "\$ $*" "passed, and should not:" "$(tail -n 30 "$T/seen")"
	else
		ok "$what"
	fi
}

is()
{
	[ "$2" = "$3" ] && ok "$1" || not_ok "$1" "got:  $2" "want: $3"
}

# eventually SECONDS CMD...: tries again until the command passes; its output is the last try's.
eventually()
{
	local until=$(($(date +%s%N) + $1 * 1000000000)) seen
	shift
	until seen=$("$@" 2>&1); do
		[ "$(date +%s%N)" -lt $until ] || { echo "$seen"; return 1; }
		sleep 0.05
	done
	echo "$seen"
}

# ---- JSON
# json FILE|- EXPR: a Python expression over the document `d`; text comes out bare, the rest as JSON.
json()
{
	/usr/bin/python3 -S -c 'import json, sys
d = json.load(sys.stdin if sys.argv[1] == "-" else open(sys.argv[1]))
v = eval("(" + sys.argv[2] + ")")
print(v if isinstance(v, str) else json.dumps(v))' "$@"
}
