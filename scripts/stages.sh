# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Commands one after the other, and some beside them, whose sums are added up.
# Sourced, after scripts/lib.sh, by who runs several of the tree's targets:
#
#	stage NAME COMMAND...	runs it; what it prints is shown
#	beside NAME COMMAND...	starts it; what it prints is kept
#	await NAME		waits for that, and shows it
#	verdict			prints a line for each, and the sums of all
#
# A command says "N passed, N failed, N skipped" in the last line that does; one
# that says nothing of the kind counts as one. What runs beside makes what stages
# need: it tests nothing, so it counts if it fails, and not if it does not.
#
# Set by who sources it, after that:
#
#	stage_only	names, as patterns; the other stages count as skipped. A
#			pattern that no name matches counts as failed
#	stage_records	a directory: what passed is noted there, and not run again
#			by the same command on the same tree
#	stage_tree	with that: a command that prints which tree this is, and
#			fails while that has no name

# shellcheck disable=SC2154 # lib.sh sets it
stage_logs=$build/stages
mkdir -p "$stage_logs"
stage_sums=(0 0 0)
stage_report=()
stage_failed=()
stage_only=
stage_records=
stage_tree=
declare -A stage_pid stage_start stage_matched

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

# stage_add PASSED FAILED SKIPPED
stage_add()
{
	stage_sums[0]=$((stage_sums[0] + $1))
	stage_sums[1]=$((stage_sums[1] + $2))
	stage_sums[2]=$((stage_sums[2] + $3))
}

# stage_count NAME STATUS: adds up what NAME's log says; sets $stage_line to that
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
	stage_add "$passed" "$failed" "$skipped"
	[ "$failed" = 0 ] || stage_failed+=("$name")
	stage_line="$passed passed, $failed failed, $skipped skipped $(
		printf '(%d s, status %d)' $((SECONDS - stage_start[$name])) \
			"$status")"
	stage_report+=("$name: $stage_line")
	[ "$failed" = 0 ] && [ "$passed" != 0 ]
}

# stage_record NAME TREE COMMAND...: notes that NAME passed, unless the tree has
# become another meanwhile: who knows which of them was tested
stage_record()
{
	local name=$1 tree=$2

	shift 2
	if [ -z "$tree" ] || [ "$($stage_tree)" != "$tree" ]; then
		stage_report+=("$name: not noted, the tree has changed")
		return
	fi
	mkdir -p "$stage_records/$tree"
	printf '%s\n' "$*" "$stage_line" >"$stage_records/$tree/$name"
}

# stage_wanted NAME: is it among $stage_only?
stage_wanted()
{
	local patterns pattern wanted=1

	[ -n "$stage_only" ] || return 0
	read -ra patterns <<<"$stage_only"
	for pattern in "${patterns[@]}"; do
		# shellcheck disable=SC2053 # it is a pattern
		[[ $1 = $pattern ]] || continue
		stage_matched[$pattern]=yes
		wanted=0
	done
	return $wanted
}

# stage_done NAME TREE COMMAND...: has that passed before? Then it is counted.
stage_done()
{
	local record=$stage_records/$2/$1 name=$1 command line
	local passed failed skipped

	shift 2
	[ -n "$stage_records" ] && [ -f "$record" ] || return 1
	{
		read -r command
		read -r line
	} <"$record"
	[ "$command" = "$*" ] || return 1
	read -r passed _ failed _ skipped _ <<<"$line"
	stage_add "$passed" "$failed" "$skipped"
	stage_report+=("$name: $line, before")
}

stage()
{
	local name=$1 status=0 tree=

	shift
	if ! stage_wanted "$name"; then
		stage_add 0 0 1
		stage_report+=("$name: not asked for")
		return
	fi
	[ -z "$stage_records" ] || tree=$($stage_tree)
	! stage_done "$name" "$tree" "$@" || return 0
	stage_start[$name]=$SECONDS
	echo "== $name"
	"$@" 2>&1 | tee "$stage_logs/$name.log" || status=${PIPESTATUS[0]}
	if stage_count "$name" "$status" && [ -n "$stage_records" ]; then
		stage_record "$name" "$tree" "$@"
	fi
}

beside()
{
	local name=$1

	stage_wanted "$name" || return 0
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
	local name=$1 pid=${stage_pid[$1]-} seconds=0 status=0

	[ -n "$pid" ] || return 0
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
	[ "$status" = 0 ] || stage_count "$name" "$status"
}

# stage_unmatched: counts the patterns that no name matched
stage_unmatched()
{
	local patterns pattern

	read -ra patterns <<<"$stage_only"
	for pattern in "${patterns[@]}"; do
		[ -z "${stage_matched[$pattern]-}" ] || continue
		stage_add 0 1 0
		stage_report+=("$pattern: there is no such stage")
	done
}

# stage_excerpts: what failed where, once more: whoever sees but the end of all
# that was printed is to know
stage_excerpts()
{
	local name

	for name in "${stage_failed[@]}"; do
		echo "== $name failed"
		grep -aE -B 12 'FAILED|(^| )not ok [0-9]' "$stage_logs/$name.log" |
			tail -n 60
	done
}

# verdict: true if something passed and nothing failed
verdict()
{
	stage_unmatched
	stage_excerpts
	printf '%s\n' "${stage_report[@]}"
	echo "${stage_sums[0]} passed, ${stage_sums[1]} failed," \
		"${stage_sums[2]} skipped"
	[ "${stage_sums[1]}" = 0 ] && [ "${stage_sums[0]}" != 0 ]
}
