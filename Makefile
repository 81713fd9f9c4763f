# SPDX-License-Identifier: GPL-2.0-only
#
# `make help` lists what there is. What Kbuild reads is in Kbuild; here the
# parts are put together: module/, userlib/, tools/, examples/, selftests/,
# bench/, and vm/ which boots a kernel with all of them in it.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory

# What was given to this make is passed on by name, to those it is meant for.
MAKEOVERRIDES =

PREFIX	?= /usr/local
LIBDIR	?= $(PREFIX)/lib
DESTDIR	?=
BUILD	?= build
INSTALL_MOD_PATH ?= $(DESTDIR)

# Others run elsewhere with them.
override DESTDIR := $(abspath $(DESTDIR))
override INSTALL_MOD_PATH := $(abspath $(INSTALL_MOD_PATH))

build := $(abspath $(BUILD))
export BUILD := $(build)

# ---- the guest's settings, see `make help` ---------------------------------

# A dollar sign in a command stays as it was typed.
override RUN := $(value RUN)
export RUN KERNEL SHARE TEXT EXTRA CPUS MEM TIMEOUT PARAMS LOAD APPEND ACCEL V TESTS
export MINUTES SEED ROUND PART RESUME STAGES

DEMO_TEXT ?=
DEMO_RUN  ?= /usr/lib/marena/examples/demo /mnt/text /mnt/share
BENCH	  ?=
BENCH_RUN ?= /usr/lib/marena/bench/marena-bench

# ---- building --------------------------------------------------------------

# A KDIR that was asked for must work; one that was guessed may be missing.
asked := $(filter command line environment,$(origin KDIR))
KDIR  ?= /lib/modules/$(shell uname -r)/build
kbuild = scripts/build-module $(KDIR)

all: module lib tools

module:
ifeq ($(wildcard module/main.c),)
	@echo 'module: there are no sources yet'
else ifneq ($(asked)$(wildcard $(KDIR)/Makefile),)
	+@$(kbuild) $(if $(W),W=$(W)) $(if $(PLANT),PLANT=$(PLANT)) $(if $(C),C=$(C)) $(if $(CF),CF=$(CF)) modules
else
	@echo 'module: left out, the running kernel has no headers here;' \
		'choose a kernel with KDIR=..., or let "make vm" fetch one'
endif

# into DIRECTORY,TARGET,VARIABLES: runs a part's own Makefile, if it is there
into = $(if $(wildcard $(1)/Makefile),+@$(MAKE) -C $(1) $(2) \
	O=$(build)/$(1) PREFIX=$(PREFIX) LIBDIR=$(LIBDIR) DESTDIR=$(DESTDIR) $(3))

# What is installed there is made first, with the library: else, with several jobs,
# two would make it at once.
ifneq ($(filter stage,$(MAKECMDGOALS)),)
lib: | stage
endif

lib:
	@scripts/need --check cc libc
	$(call into,userlib,all)

tools: lib
	@scripts/need --check smartcols
	$(call into,tools,all)

examples: lib
	$(call into,examples,all)

# Go is large, and the rest can be built without.
peers:
	@scripts/need go

benchmarks: lib
	@scripts/need c++ boost gc jemalloc mimalloc
	$(call into,bench,all)

# ---- installing ------------------------------------------------------------

rules := tools/70-marena.rules
uapi  := uapi/linux/marena.h

install: lib tools
	$(call into,userlib,install)
	$(call into,tools,install)
	$(if $(wildcard $(rules)),@install -D -m 644 -t \
		$(DESTDIR)$(PREFIX)/lib/udev/rules.d $(rules))
	$(if $(wildcard $(uapi)),@install -D -m 644 -t \
		$(DESTDIR)$(PREFIX)/include/linux $(uapi))
	$(if $(DESTDIR),,-@ldconfig 2>/dev/null || true)

# A distribution's headers ask for a signature and lack the key to it.
unsigned = $(if $(wildcard $(KDIR)/certs/signing_key.*),,CONFIG_MODULE_SIG_ALL=)

modules_install: module
	+@$(kbuild) INSTALL_MOD_PATH=$(INSTALL_MOD_PATH) $(unsigned) modules_install
ifeq ($(INSTALL_MOD_PATH),)
	@PATH=$$PATH:/sbin:/usr/sbin; \
	depmod "$$(basename "$$(scripts/build-module --only-dir $(KDIR))")"
endif

# ---- the virtual machine ---------------------------------------------------

# What the guest gets besides busybox: the same that a machine gets by "make
# install", and the tests and examples, all below build/root.
stage := $(build)/root

stage:
	@scripts/need cc libc binutils smartcols
	@rm -rf $(stage) && mkdir -p $(stage)/usr
	+@$(MAKE) install DESTDIR=$(stage) PREFIX=/usr LIBDIR=/usr/lib
	+@$(MAKE) stage-parts DESTDIR=$(stage) PREFIX=/usr LIBDIR=/usr/lib

stage-parts: examples
	$(call into,examples,install,EXAMPLESDIR=/usr/lib/marena/examples)
	$(if $(wildcard selftests/*.c selftests/*.sh),\
	+@$(MAKE) -C selftests install OUTPUT=$(build)/selftests \
		INSTALL_PATH=$(DESTDIR)/usr/lib/kselftest)

vm:
	+@vm/run

test:
	+@vm/test

soak:
	+@vm/soak

coverage:
	+@vm/coverage

test-full:
	+@scripts/test-full

fuzz:
	+@OPS='$(OPS)' SEED='$(SEED)' KERNEL='$(or $(KERNEL),debug)' vm/fuzz

demo: override RUN := $(value DEMO_RUN)
demo: SHARE = $(build)/demo
demo: TEXT = $(or $(DEMO_TEXT),$(build)/demo-text)
demo:
	@mkdir -p $(build)/demo
	$(if $(DEMO_TEXT),,@examples/debian-text $(build)/demo-text)
	+@vm/run
	@echo 'demo: what it wrote is in $(BUILD)/demo'

# Only this guest has the benchmarks, and so the libraries that they need.
bench: results = bench$(if $(filter icount,$(ACCEL)),-icount)
bench-native: results = bench-native
bench: override RUN := $(value BENCH_RUN) --json=/mnt/share/bench$(if $(filter icount,$(ACCEL)),-icount).json $(value BENCH)
bench: MEM := $(or $(MEM),8G)
bench-native: override RUN := $(value BENCH_RUN) --json=/mnt/share/bench-native.json --mib=256 $(value BENCH)
bench-native: MEM := $(or $(MEM),3G)
bench-native: override KERNEL = native
bench bench-native: override EXTRA += $(build)/bench/root
bench bench-native: SHARE = $(build)/bench/results
bench bench-native: TIMEOUT := $(or $(TIMEOUT),3600)
bench bench-native: peers benchmarks
	@mkdir -p $(build)/bench/results
	$(call into,bench,install,BENCHDIR=/usr/lib/marena/bench DESTDIR=$(build)/bench/root)
	+@vm/run
	@scripts/need python3
	@scripts/bench-plot $(build)/bench/results/$(results).json $(build)/bench/plots/$(results)
	@echo '$@: the figures are in $(BUILD)/bench/results/$(results).json as well,'
	@echo '$@: and drawn in $(BUILD)/bench/plots/$(results)'

bench-readme:
	@scripts/need python3
	@scripts/bench-readme

# What BENCH says goes to it as it is.
bench-compare: export BENCH := $(value BENCH)
bench-compare:
	+@scripts/bench-compare $(or $(BASE),HEAD)

# ---- checking --------------------------------------------------------------

ROUNDS ?= 2000000
litmus: lib
	$(call into,selftests/litmus,run,ROUNDS=$(ROUNDS))

check:
	+@scripts/check

check-model:
	@scripts/check-model

# ---- the rest --------------------------------------------------------------

clean:
	rm -rf $(build)/{kernel,root,userlib,tools,examples,bench,selftests,check,compare,coverage,stages,model}

distclean:
	rm -rf $(build)

define HELP
Building and installing
  make [KDIR=DIR]        module, library and tools; KDIR: a kernel's build
                         directory, else that of the running kernel
  make module|lib|tools  one of them (module: W=1, C=2 as in the kernel)
  make install           library, tools, man pages, headers, udev rule
                         (PREFIX=/usr/local, LIBDIR, DESTDIR)
  make modules_install   marena.ko (INSTALL_MOD_PATH, else DESTDIR)
  make clean, distclean  what was built; all of build/

In a virtual machine (fetches what it needs; KERNEL=6.1, 6.12, 6.1-cloud,
6.12-cloud, several, or all; KERNEL=debug, kcsan, uml, uml-smp or gcov builds
one that sees what these forgive, once, for a quarter of an hour)
  make vm RUN='command'  boots with the module loaded and runs the command
                         SHARE=DIR     at /mnt/share, TEXT=DIR at /mnt/text
                         CPUS=2 MEM=2G TIMEOUT=600 PARAMS='x=1' LOAD=no V=1
                         EXTRA='DIR..' more files for the guest
                         APPEND='...'  words for the kernel command line
                         (make itself can only say 2 for any failure;
                         RUN=... vm/run ends with the command's status)
  make test              the tests, on 6.1 and 6.12 (TESTS='name...';
                         PART=1/3: each third of them, from the first on)
  make soak MINUTES=10   all that can trouble an arena, side by side, on 6.12;
                         then memory must be what it was (SEED=1, ROUND=s)
  make coverage          the tests, and which lines of the module they ran
  make test-full         everything, for many hours (MINUTES=2 of soak;
                         RESUME=yes: but for what passed on this very tree;
                         STAGES='debug-* fuzz': but for all others)
  make fuzz              the fuzzer (OPS=10000000 SEED=1 KERNEL=debug)
  make demo              the demonstration (DEMO_TEXT=DIR: what it reads)
  make bench             the project and its peers, side by side, on 6.12
                         (BENCH='-r 7 pause mark': options and workloads; -h;
                         ACCEL=icount CPUS=1: by a clock of instructions)
  make bench-compare BASE=commit
                         of BASE and of the tree as it is, by a clock of
                         instructions: what has changed (BENCH='-r 3 fast')
  make bench-native      the same on user-mode-linux, without detectors: what
                         computes is as fast as it can be here
  make bench-readme      the figures of these into the README

Checking the sources
  make litmus            memory ordering, on this machine (ROUNDS=2000000)
  make check             builds with W=1 for 6.1 and 6.12, sparse, coccicheck,
                         gcc -fanalyzer, checkpatch, kernel-doc, shellcheck,
                         licence lines
  make check-model       all states of the models of the collector, and of
                         models without one of its rules, which must fail

Fetched packages are kept in $$MARENA_CACHE, else ~/.cache/marena.
endef
export HELP

help:
	@echo "$$HELP"

.PHONY: all module lib tools examples peers benchmarks install modules_install \
	stage stage-parts vm test coverage test-full soak fuzz demo bench bench-native bench-compare bench-readme litmus \
	check check-model clean distclean help
