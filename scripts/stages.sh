# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Commands one after the other, and some beside them, whose sums are added up.
# Sourced, after scripts/lib.sh, by who runs several of the tree's targets:
#
#	stage NAME COMMAND...	runs it; what it prints is shown
#	beside NAME COMMAND...	starts it; what it prints is kept
#	await NAME		waits for that, shows it, and counts it
#	verdict			prints a line for each, and the sums of all
#
# A command says "N passed, N failed, N skipped" in the last line that does; one
# that says nothing of the kind counts as one.

# shellcheck disable=SC2154 # lib.sh sets it
stage_logs=$build/stages
mkdir -p "$stage_logs"
stage_sums=(0 0 0)
stage_report=()
declare -A stage_pid stage_start

# Whatever is still under way goes with us: each is a group of its own.
stage_end()
{
	local name

	for name in "${!stage_pid[@]}"; do
		kill -- "-${stage_pid[$name]}" 2>/dev/null
	done
}
trap stage_end EXIT
trap 'exit 130' INT TERM HUP

# stage_count NAME STATUS: adds up what NAME's log says
stage_count()
{
	local name=$1 status=$2 sums passed failed skipped

	sums=$(grep -axE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' \
		"$stage_logs/$name.log" | tail -n 1 | tr -dc '0-9 ')
	if [ -z "$sums" ]; then
		sums="$((status == 0)) $((status != 0)) 0"
	fi
	read -r passed failed skipped <<<"$sums"
	# Failed without saying at what.
	[ "$status" = 0 ] || [ "$failed" != 0 ] || failed=1
	stage_sums[0]=$((stage_sums[0] + passed))
	stage_sums[1]=$((stage_sums[1] + failed))
	stage_sums[2]=$((stage_sums[2] + skipped))
	stage_report+=("$name: $passed passed, $failed failed, $skipped skipped $(
		printf '(%d s, status %d)' $((SECONDS - stage_start[$name])) \
			"$status")")
}

stage()
{
	local name=$1 status=0

	shift
	stage_start[$name]=$SECONDS
	echo "== $name"
	"$@" 2>&1 | tee "$stage_logs/$name.log" || status=${PIPESTATUS[0]}
	stage_count "$name" "$status"
}

beside()
{
	local name=$1

	shift
	stage_start[$name]=$SECONDS
	echo "== $name, beside what follows"
	set -m
	"$@" </dev/null >"$stage_logs/$name.log" 2>&1 &
	stage_pid[$name]=$!
	set +m
}

await()
{
	local name=$1 pid=${stage_pid[$1]} seconds=0 status=0

	echo "== $name, which was started before"
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		seconds=$((seconds + 1))
		[ $((seconds % 60)) != 0 ] ||
			tail -n 1 "$stage_logs/$name.log"
	done
	wait "$pid" || status=$?
	unset "stage_pid[$name]"
	cat "$stage_logs/$name.log"
	stage_count "$name" "$status"
}

# verdict: true if something passed and nothing failed
verdict()
{
	printf '%s\n' "${stage_report[@]}"
	echo "${stage_sums[0]} passed, ${stage_sums[1]} failed," \
		"${stage_sums[2]} skipped"
	[ "${stage_sums[1]}" = 0 ] && [ "${stage_sums[0]}" != 0 ]
}
