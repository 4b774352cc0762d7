# make test installs what the tests need and runs them all; make bench prints ratios against peers measured in the same run; make soak runs
# everything for as long as it takes.
GO ?= go
export CGO_ENABLED = 0

.PHONY: build test tools vet bench soak

build:
	$(GO) build -o faultline .

# What the tests use beside Go. Each test that lacks one skips with the reason; here nothing should.
TOOLS = e2fsprogs xfsprogs btrfs-progs f2fs-tools gfs2-utils exfatprogs ocfs2-tools ntfs-3g fuse3 fuse2fs libxml2-utils util-linux qemu-system-x86

tools:
	@missing=$$(for t in mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.f2fs mkfs.gfs2 mkfs.exfat mkfs.ocfs2 mkfs.ntfs fusermount3 fuse2fs xmllint qemu-system-x86_64; do command -v $$t >/dev/null || echo $$t; done); \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "installing what is missing: $$missing"; \
			apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(TOOLS) >/dev/null; \
		else echo "not installed, tests that need it are skipped:" $$missing; fi; \
	fi

vet:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); [ -z "$$unformatted" ] || { echo "not formatted: $$unformatted"; exit 1; }
	$(GO) vet ./...

# The packages run one after another: many of their tests start workers on both cores. What was skipped stands at the end, with the reason: the
# last message of a test before it skips.
SKIPPED = /^=== (RUN|NAME|CONT)/ { test = $$3 } \
	/^ +[a-z_A-Z0-9]+\.go:[0-9]+: / { said[test] = $$0; if (/specs skipped: /) { specs = $$0; sub(/^ +[^ ]+ /, "", specs); print "  " specs } } \
	/^ *--- SKIP: / { sub(/^ +[^ ]+ /, "", said[$$3]); print "  " $$3 ": " said[$$3] }

test: tools vet
	@log=$$(mktemp) && code=$$(mktemp) && { $(GO) test -p 1 -timeout 30m -v ./... 2>&1; echo $$? > $$code; } | tee $$log | grep -v -E '^(=== |PASS$$| *--- PASS)'; \
	echo; echo "skipped:"; awk '$(SKIPPED)' $$log | sort -u | grep . || echo "  nothing"; \
	status=$$(cat $$code); rm -f $$log $$code; exit $$status

bench:
	$(GO) test -run '^$$' -bench . -benchtime 2s ./harness/... ./results/... ./generators/... ./targetfs/...

# Everything on every file system that this machine can mount, then the long tests. An hour or so.
soak: build
	for t in loop:ext4 loop:xfs loop:btrfs tmpfs: overlay:/tmp; do ./faultline run --target $$t --group auto || exit 1; done
	FAULTLINE_SOAK=1 $(GO) test -p 1 -timeout 4h ./...
