# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What every host-side script of the rig shares. Sourced, never run.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export top

# Debian keeps depmod, mke2fs and debugfs where only root's PATH looks.
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C.UTF-8

say()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die()
{
	say "$@"
	exit 1
}

# Everything fetched lives here, outside the tree; it survives distclean.
cache=${MARENA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/marena}
mkdir -p "$cache"

# What is built lives here.
# shellcheck disable=SC2034 # used by those who source this
build=$(realpath -m "${BUILD:-$top/build}")

need()
{
	"$top/scripts/need" "$@"
}

# What building a module takes, beside the kernel's headers.
# shellcheck disable=SC2034
module_needs=(cc binutils libelf libssl flock)

# submake ARGUMENT...: make, with the job slots of the make above it if that
# runs in parallel, else with one for each CPU
submake()
{
	case ${MAKEFLAGS-} in
	*jobserver*)	make --no-print-directory "$@" ;;
	*)		make --no-print-directory -j"$(nproc)" "$@" ;;
	esac
}

# fetch_debs DIR PACKAGE...: the .deb files of the packages, into DIR
fetch_debs()
{
	local dir=$1 log
	shift
	log=$dir/apt.log

	say "fetching $*"
	if (cd "$dir" && apt-get download -q "$@") >"$log" 2>&1; then
		return
	fi
	# A list older than the mirror names packages that are gone.
	need --refresh
	(cd "$dir" && apt-get download -q "$@") >"$log" 2>&1 || {
		cat "$log" >&2
		die "cannot fetch $*"
	}
}
