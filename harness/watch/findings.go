package watch

import (
	"regexp"
	"sync"
)

// Finding is a line of the kernel log that a clean kernel does not print.
type Finding struct {
	Kind string // one of the kinds in the table below: "oops", "lockdep", "fs error", ...
	Line Line
}

var (
	consoleLevel = regexp.MustCompile(`^<(\d{1,4})>`)
	consoleStamp = regexp.MustCompile(`^\[ *(\d{1,9}\.\d{6})(?:\]\[ *[TC]\d+)?\] ?`)
)

// Scan finds the lines that a test must not cause. Lines that user space wrote into the log are not looked at. Every
// pattern starts at the beginning of the text: a task or device named BUG is no finding.
func Scan(lines []Line) []Finding {
	var found []Finding
	for _, line := range lines {
		if line.Facility != 0 {
			continue
		}
		if kind := kindOf(line.Text); kind != "" {
			found = append(found, Finding{kind, line})
		}
	}
	return found
}

// refused is what file systems call an error where they refuse what they were asked: the request fails, and nothing is wrong.
var refused = regexp.MustCompile(`^BTRFS error \(device [^)]+\): unable to set label with more than \d+ bytes`)

func kindOf(text string) string {
	if refused.MatchString(text) {
		return ""
	}
	for _, p := range patterns() {
		if p.expression.MatchString(text) {
			return p.kind
		}
	}
	return ""
}

// The kinds of what file systems and block devices say of themselves.
const (
	fsError = "fs error"
	ioError = "io error"
)

// patterns are asked in order; the first that matches names the kind. They are compiled when they are asked first: most of our processes, and all those in guests, never do.
var patterns = sync.OnceValue(func() []pattern { return compile(findings) })

var findings = [][2]string{
	{"panic", `Kernel panic - not syncing`},
	{"kasan", `BUG: KASAN: `},
	{"kcsan", `BUG: KCSAN: `},
	{"kfence", `BUG: KFENCE: `},
	{"kmsan", `BUG: KMSAN: `},
	{"ubsan", `UBSAN: `},
	{"lockup", `(NMI )?watchdog: (BUG: soft lockup|Watchdog detected hard LOCKUP|CPU\d+: Watchdog detected hard LOCKUP)`},
	{"lockup", `BUG: (soft lockup|workqueue lockup)`},
	{"hung task", `INFO: task .+ (blocked for more than|is blocked on a .+ likely|blocked in I/O wait for more than) `},
	{"rcu stall", `(rcu: )?INFO: rcu_\w+ (self-)?detected (expedited )?stalls?`},
	{"lockdep", `WARNING: (possible (circular|recursive|irq lock inversion|unsafe)|inconsistent lock state|suspicious RCU usage|` +
		`bad unlock balance|lock held when returning to user space|.*SOFTIRQ-.* lock order detected|.*HARDIRQ-.* lock order detected|` +
		`held lock freed|Nested lock was not taken|.*lock.* still has locks held)`},
	{"lockdep", `(BUG: (Invalid wait context|MAX_LOCK\w+ too low|looking up invalid subclass|held lock freed)|\[ BUG: .* \]|INFO: trying to register non-static key|DEBUG_LOCKS_WARN_ON)`},
	{"bug", `(BUG: |kernel BUG at )`},
	{"warning", `WARNING: (CPU: \d+ PID: \d+ at |[\w./-]+:\d+ at )`},
	{"warning", `(refcount_t: |list_(add|del) corruption|kobject_add_internal failed|sysfs: cannot create duplicate filename|slab_\w+ .*: .*not found)`},
	{"oops", `(Oops: |Oops\[#|Internal error: |Unable to handle kernel |general protection fault[,:]|invalid opcode: |` +
		`double fault: |stack segment: |divide error: |int3: |invalid op: |Unhandled fault: |Kernel mode fault|unregister_netdevice: waiting for )`},
	{"memory leak", `(kmemleak: \d+ new suspected memory leaks|BUG \S+ \(.*\): Objects remaining)`},
	{fsError, `EXT4-fs error \(|EXT4-fs \([^)]+\): (.*potential data loss|.*[Ff]ailed to convert unwritten|.*Remounting filesystem read-only|.*This should not happen)`},
	{fsError, `(EXT4-fs (error|critical)|JBD2: (Detected IO errors|.*[Ee]rror -?\d+ )|Aborting journal on device )`},
	{fsError, `XFS( \([^)]+\))?: (Internal error|Corruption|Metadata corruption|Metadata CRC error|Metadata I/O Error|metadata I/O error|log I/O error|` +
		`Assertion failed|Filesystem has been shut down|User initiated shutdown|.*[Ss]hutting down|.*[Cc]orruption (warning|detected|of in-memory)|.*xfs_do_force_shutdown)`},
	{fsError, `BTRFS(:)? (error|critical|emergency|alert)[ :(]|BTRFS: Transaction aborted|BTRFS warning \([^)]+\): (csum failed|.*checksum (verify failed|error)|.*Skipping commit of aborted)`},
	{fsError, `F2FS-fs \([^)]+\): (.*(corrupt|[Ii]nconsistent|[Ii]nvalid|Stopped filesystem|shutdown|should run fsck|Run fsck|checkpoint error|bad (block|ino)|mismatch)|f2fs_check_nid_range)`},
	{fsError, `gfs2: fsid=\S+: (fatal: |about to withdraw|withdrawn|File system withdrawn|.*[Ww]ithdrawing|original: |.*(invalid|inconsistent) (inode|metadata|resource group)|Error \d+ (syncing|writing|reading)|.*I/O error|.*error -5)`},
	{fsError, `(EROFS|OCFS2|FAT-fs|NILFS|overlayfs|fuse|nilfs2|ntfs3|bcachefs)( \([^)]+\))?: (error|ERROR|.*corrupt|.*[Ii]nconsisten|fatal)`},
	{ioError, `(blk_update_request: |print_req_error: )?(I/O|critical (medium|target|space allocation|nexus|protection)|protection|timeout|invalid|recoverable transport) error, dev `},
	{ioError, `(Buffer I/O error on dev|lost (async )?page write due to I/O error|\S+: writeback error on inode |end_request: I/O error|device offline error)`},
}

type pattern struct {
	kind       string
	expression *regexp.Regexp
}

func compile(rows [][2]string) []pattern {
	var all []pattern
	for _, row := range rows {
		all = append(all, pattern{row[0], regexp.MustCompile(`^(?:` + row[1] + `)`)})
	}
	return all
}
