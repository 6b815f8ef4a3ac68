# Everything a person types: each target is one line here and a script that says what it does.
#
#   make run      install what is missing, build, open the window
#   make test     the whole test suite
#   make check    formatting, lints, documentation, dependency rules
#   make fuzz     look for input that the core can't stand; SECONDS=600 for each of the fuzzers
#   make bench    measure it, beside what else is installed
#   make install  PREFIX=/usr/local, DESTDIR= for packagers

PREFIX ?= /usr/local
DESTDIR ?=
# A Rust that was installed a minute ago is found without a new login.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: run test check fuzz bench deps install

run:
	@resources/setup/run.sh

test:
	@tests/run.sh

check:
	@resources/setup/check.sh

fuzz:
	@resources/setup/fuzz.sh $(SECONDS)

bench:
	@resources/setup/bench.sh

deps:
	@resources/setup/deps.sh run test

install:
	@resources/setup/install.sh "$(DESTDIR)" "$(PREFIX)"
