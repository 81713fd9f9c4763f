#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# kunit.sh: what the module's own tests said, which run inside the kernel when
# it is loaded, where the kernel has KUnit built in. Those that should be there
# are listed in kunit-suites.

results=/sys/kernel/debug/kunit
suites=$(dirname "$0")/kunit-suites

if [ ! -d $results ]; then
	echo "1..0 # SKIP the kernel has no KUnit"
	exit 4
fi

# told SUITE: each test, and why it failed; last, if it did, the suite itself,
# whose beginning or end may have failed
told()
{
	sed -n -e "s/^    \(ok\|not ok\) [0-9]* /\1 $1: /p" \
		-e '/^    \(# [A-Zm]\|ok\|not ok\|KTAP\|1\.\.\)/d' \
		-e 's/^    /# /p' \
		-e "s/^not ok 1 /not ok $1: the suite /p" \
		"$results/$1/results"
}

# told_all SUITE: does it tell of as many tests as it said there are, and of its end?
told_all()
{
	awk '/^    1\.\.[0-9]/ { plan = substr($1, 4) }
	     /^    (not )?ok / { points++ }
	     /^(not )?ok 1 / { ended = 1 }
	     END { exit !(ended && points && points == plan) }' \
		"$results/$1/results"
}

while read -r suite; do
	if [ ! -e "$results/$suite/results" ]; then
		echo "not ok $suite: did not run"
		continue
	fi
	told "$suite"
	told_all "$suite" || echo "not ok $suite: did not tell of all its tests"
done <"$suites" | awk '
	{ line[NR] = $0 }
	/^(not )?ok/ { points++ }
	/^not ok/ { failed = 1 }
	END {
		print "TAP version 13"
		print "1.." points + 0
		for (i = 1; i <= NR; i++) {
			if (line[i] !~ /^#/)
				sub(/ok /, "ok " ++n " ", line[i])
			print line[i]
		}
		exit failed || !points
	}'
