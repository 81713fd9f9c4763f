#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# conftest.sh KDIR OUTPUT-DIR: finds out what the kernel in KDIR has, and
# writes it to OUTPUT-DIR/conftest.h, one MARENA_HAVE_... a probe.
#
# Kernel versions lie, because stable kernels carry backports; so each probe
# tries the thing itself. All snippets are compiled by one run of that
# kernel's own Kbuild. To add a probe, add a line to probes().
#
# A snippet must fail only because of what it probes for. Therefore each set
# of headers that a probe names is compiled with an empty body as well, and
# must succeed; and one snippet must always fail. Otherwise nothing that was
# found out can be trusted, and the build stops here.

set -euo pipefail

# compiles NAME HEADERS BODY: does a function with this body compile, and are
#	all the symbols it then wants exported?
# exported NAME SYMBOL: may a module with a GPL licence use this symbol?
probes()
{
	compiles VM_FLAGS_SET 'linux/mm.h' '
		void (*set)(struct vm_area_struct *, vm_flags_t) = vm_flags_set;
		(void)set;'

	compiles MM_GET_UNMAPPED_AREA 'linux/mm.h linux/sched/mm.h' '
		unsigned long (*get)(struct mm_struct *, struct file *,
				     unsigned long, unsigned long,
				     unsigned long, unsigned long) =
			mm_get_unmapped_area;
		(void)get;'

	compiles VMA_START_WRITE 'linux/mm.h' '
		vma_start_write(NULL);'

	compiles MNT_IDMAP 'linux/fs.h' '
		(void)inode_permission(&nop_mnt_idmap, NULL, MAY_READ);'

	compiles SIMPLE_INODE_INIT_TS 'linux/fs.h' '
		(void)simple_inode_init_ts(NULL);'

	compiles INODE_JUST_DROP 'linux/fs.h' '
		int (*drop)(struct inode *) = inode_just_drop;
		(void)drop;'

	compiles NS_REF_READ 'linux/ns_common.h' '
		struct ns_common *ns = NULL;
		(void)(is_ns_init_id(ns) || __ns_ref_read(ns));'

	compiles FOLIO_MAPCOUNT 'linux/mm.h' '
		struct folio *folio = NULL;
		(void)folio_mapcount(folio);'

	compiles SHRINKER_ALLOC 'linux/mm.h linux/shrinker.h' '
		(void)shrinker_alloc(0, "marena");'

	compiles LIST_LRU_ADD_OBJ 'linux/mm.h linux/list_lru.h' '
		(void)list_lru_add_obj(NULL, NULL);'

	compiles LIST_LRU_LOCK 'linux/mm.h linux/list_lru.h' '
		enum lru_status (*visit)(struct list_head *,
					 struct list_lru_one *, spinlock_t *,
					 void *) = NULL;
		list_lru_walk_cb walk = visit;
		(void)walk;'

	compiles RELEASE_FAULT_LOCK 'linux/mm.h' '
		release_fault_lock(NULL);'

	compiles TIMER_DELETE_SYNC 'linux/timer.h' '
		struct timer_list *timer = NULL;
		(void)timer_delete_sync(timer);'

	compiles GUP_REMOTE_VMAS 'linux/mm.h' '
		(void)get_user_pages_remote(NULL, 0, 1, 0, NULL, NULL, NULL);'

	compiles UML_FP_SIZED 'linux/mm.h linux/ptrace.h' '
		(void)sizeof(((struct pt_regs *)0)->regs.fp);'

	exported WP_SHARED_MAPPING_RANGE wp_shared_mapping_range
}

die()
{
	echo "conftest: $*" >&2
	exit 1
}

kdir=${1:?usage: conftest.sh KDIR OUTPUT-DIR}
out=${2:?usage: conftest.sh KDIR OUTPUT-DIR}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$out/conftest
symvers=$kdir/Module.symvers

# The answers stand while the question, the kernel and the compiler do.
key()
{
	echo "$kdir"
	cat "$0"
	cat "$kdir/include/generated/utsrelease.h" "$kdir/.config" 2>/dev/null
	stat -L -c '%s %Y' "$symvers" 2>/dev/null
	printf '%s\n' "${CC-}" "${LLVM-}"
}

key=$(key | sha256sum)
if [ -e "$out/conftest.h" ] && [ "$(cat "$work/key" 2>/dev/null)" = "$key" ]; then
	exit 0
fi

rm -rf "$work"
mkdir -p "$work"
rm -f "$out/conftest.h"

# snippet OBJECT HEADERS BODY
snippet()
{
	local header

	{
		for header in $2; do
			echo "#include <$header>"
		done
		echo 'void marena_conftest(void);'
		echo "void marena_conftest(void) { $3"
		echo '}'
	} >"$work/$1.c"
	echo "obj-m += $1.o" >>"$work/Kbuild"
}

# First pass: write the snippets.
control=
compiles()
{
	local set

	snippet "have_$1" "$2" "$3"
	set=control_$(tr -c '[:alnum:]' _ <<<"$2")
	if [ ! -e "$work/$set.c" ]; then
		snippet "$set" "$2" ''
		control="$control $set"
	fi
}
exported() { :; }

# shellcheck disable=SC2016 # $(...) is for make
echo 'ccflags-y := -Wno-unused' >"$work/Kbuild"
snippet must_fail linux/mm.h 'marena_no_such_function();'
probes

# The environment is emptied so that nothing of a surrounding make leaks in.
env -i PATH="$PATH" HOME="${HOME-/}" LC_ALL=C \
	make -k -C "$kdir" M="$work" -j "$(nproc)" \
	${CC:+"CC=$CC"} ${LLVM:+"LLVM=$LLVM"} modules >"$work/log" 2>&1 || true

# usable SNIPPET: it compiled, and a module with it in could be loaded
usable()
{
	[ -e "$work/$1.o" ] || return 1
	nm -u "$work/$1.o" | awk 'NR == FNR { exported[$2] = 1; next }
				  !($2 in exported) { exit 1 }' "$symvers" -
}

[ -s "$symvers" ] || die "$kdir has no Module.symvers"
for name in $control; do
	usable "$name" || {
		tail -n 20 "$work/log" >&2
		die "the headers in $kdir do not compile by themselves"
	}
done
[ ! -e "$work/must_fail.o" ] ||
	die "nonsense compiles with $kdir: its answers mean nothing"
grep -qE '[[:space:]]_?printk[[:space:]]' "$symvers" ||
	die "$symvers does not even have printk"

# Second pass: write down the answers.
answer()
{
	if [ "$2" = yes ]; then
		echo "#define MARENA_HAVE_$1 1"
	else
		echo "/* #undef MARENA_HAVE_$1 */"
	fi
}
compiles()
{
	answer "$1" "$(usable "have_$1" && echo yes)"
}
exported()
{
	answer "$1" "$(awk -v s="$2" '$2 == s { print "yes"; exit }' "$symvers")"
}

{
	echo '/* SPDX-License-Identifier: GPL-2.0-only */'
	echo "/* Written by conftest.sh from the kernel in $kdir. */"
	echo '#ifndef MARENA_CONFTEST_H'
	echo '#define MARENA_CONFTEST_H'
	echo
	probes
	echo
	echo '#endif'
} >"$out/conftest.h.new"
mv "$out/conftest.h.new" "$out/conftest.h"
echo "$key" >"$work/key"
