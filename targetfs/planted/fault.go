package planted

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Fault is one way to be wrong: a row of Faults, with limits on when it happens. Without a limit every request that Fires
// describes is hit.
type Fault struct {
	Name    string // the first word of a spec
	Doc     string // what the server does, in one line
	Fires   string // the requests that it counts and hits
	Verdict string // what a right judge says of a program that is hit: pass, wrong, hang or crash

	Nth   int           // not 0: only the Nth such request since the mount
	Each  int           // not 0: only the Nth such request on every file, which passes over those that fill it before a program
	Rate  int           // not 0: one such request in Rate on average, chosen by Seed
	Seed  uint64        // start of the choices of Rate
	Delay time.Duration // how long a request of "slow" takes
}

// Names of the faults: the first word of a spec.
const (
	None        = "none"
	BlockRead   = "block-read"
	BlockWrite  = "block-write"
	BlockFault  = "block-fault"
	Spin        = "spin"
	CorruptByte = "corrupt-byte"
	TearWrite   = "tear-write"
	ShortRead   = "short-read"
	LongSize    = "long-size"
	StaleTail   = "stale-tail"
	StaleData   = "stale-data"
	EIO         = "eio"
	ENOSPC      = "enospc"
	Die         = "die"
	Slow        = "slow"
	KeepLock    = "keep-lock"
	KeepSize    = "keep-size"
)

// Requests that faults are for.
const (
	anyRead   = "READ"
	dataRead  = "READ that finds data"
	faultRead = "READ caused by a page fault, of the program or of a system call in its user copy"
	anyWrite  = "WRITE"
	callRead  = "READ that is not caused by a page fault"
)

// Faults is every fault there is, "none" first.
var Faults = []Fault{
	{Name: None, Verdict: "pass", Fires: "never",
		Doc: "nothing is wrong"},
	{Name: BlockRead, Verdict: "hang", Fires: anyRead,
		Doc: "the request is never answered; the caller cannot be killed"},
	{Name: BlockWrite, Verdict: "hang", Fires: anyWrite,
		Doc: "the request is never answered; the caller cannot be killed"},
	{Name: BlockFault, Verdict: "hang", Fires: faultRead,
		Doc: "the request is never answered; reads that are not page faults are"},
	{Name: Spin, Verdict: "hang", Fires: anyRead,
		Doc: "the request is never answered, and the server burns a CPU for ever"},
	{Name: CorruptByte, Verdict: "wrong", Fires: dataRead,
		Doc: "the first byte of the answer is inverted"},
	{Name: TearWrite, Verdict: "wrong", Fires: anyWrite,
		Doc: "the first half is kept, all is claimed; the second half stays what it was"},
	{Name: ShortRead, Verdict: "wrong", Fires: dataRead,
		Doc: "the answer is the first half of the data, as if the file ended there"},
	{Name: LongSize, Verdict: "wrong", Fires: "GETATTR or LOOKUP of a regular file (stat, and reads at the end of the file)",
		Doc: "the length is one byte too long"},
	{Name: StaleTail, Verdict: "wrong", Fires: "growth that leaves a gap (truncate, fallocate, a write beyond the end)",
		Doc: "the gap holds old bytes up to the end of its first page instead of zeros"},
	{Name: StaleData, Verdict: "wrong", Fires: "WRITE over bytes that the file has; an open later, when the cache is gone, it shows",
		Doc: "the overwritten bytes stay what they were"},
	{Name: EIO, Verdict: "wrong", Fires: anyRead,
		Doc: "the answer is EIO; SIGBUS for a load"},
	{Name: ENOSPC, Verdict: "wrong", Fires: anyWrite,
		Doc: "the answer is ENOSPC, though statfs(2) tells of free space"},
	{Name: Die, Verdict: "crash", Fires: anyRead,
		Doc: "the server exits instead of answering; every call from then on gives ENOTCONN"},
	{Name: Slow, Verdict: "pass", Fires: anyRead, Delay: 3 * time.Second,
		Doc: "the answer is right and comes late; longer than a step's deadline it must not be called a hang"},
	{Name: KeepLock, Verdict: "hang", Fires: callRead,
		Doc: "a lock of the file is held until the system call is over; page faults on the file wait for it, also those of the holder's user copy"},
	{Name: KeepSize, Verdict: "pass", Fires: callRead,
		Doc: "a lock of the file is held until the system call is over; SETATTR of the length waits for it"},
}

// Parse reads a spec: a name of Faults, then limits.
//
//	block-read
//	eio,nth=3
//	tear-write,each=2
//	corrupt-byte,rate=10,seed=7
//	slow,delay=3s
//
// The error of a bad spec says what was found and what was wanted.
func Parse(spec string) (Fault, error) {
	name, options, _ := strings.Cut(spec, ",")
	at := slices.IndexFunc(Faults, func(f Fault) bool { return f.Name == name })
	if at < 0 {
		return Fault{}, fmt.Errorf("fault %q: no fault is called %q; there are %s", spec, name, strings.Join(names(), ", "))
	}
	f := Faults[at]
	if options == "" && name == spec {
		return f, nil
	}
	for _, option := range strings.Split(options, ",") {
		if err := f.set(option); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %w", spec, err)
		}
	}
	return f, f.check(spec)
}

// set reads one option of a spec into f.
func (f *Fault) set(option string) (err error) {
	key, value, found := strings.Cut(option, "=")
	if !found {
		return fmt.Errorf("option %q: want KEY=VALUE with a key of nth, each, rate, seed, delay", option)
	}
	switch key {
	case "nth":
		f.Nth, err = count(value)
	case "each":
		f.Each, err = count(value)
	case "rate":
		f.Rate, err = count(value)
	case "seed":
		if f.Seed, err = strconv.ParseUint(value, 10, 64); err != nil {
			err = fmt.Errorf("want a number of 64 bits, not %q", value)
		}
	case "delay":
		if f.Delay, err = time.ParseDuration(value); err != nil || f.Delay <= 0 {
			err = fmt.Errorf("want a time like 3s or 500ms, not %q", value)
		}
	default:
		return fmt.Errorf("option %q: want a key of nth, each, rate, seed, delay, not %q", option, key)
	}
	if err != nil {
		return fmt.Errorf("option %q: %w", option, err)
	}
	return nil
}

// count reads a whole number from 1.
func count(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("want a whole number from 1, not %q", value)
	}
	return n, nil
}

// check refuses options that mean nothing together.
func (f Fault) check(spec string) error {
	limits := 0
	for _, limit := range []int{f.Nth, f.Each, f.Rate} {
		limits += min(limit, 1)
	}
	switch {
	case limits > 1:
		return fmt.Errorf("fault %q: nth, each and rate exclude each other; want one", spec)
	case f.Name == None && limits > 0:
		return fmt.Errorf("fault %q: %q never fires; want it without nth, each, rate", spec, None)
	case f.Name != Slow && f.Delay != 0:
		return fmt.Errorf("fault %q: delay is an option of %q only", spec, Slow)
	case f.Rate == 0 && f.Seed != 0:
		return fmt.Errorf("fault %q: seed chooses for rate; want rate too", spec)
	}
	return nil
}

// String is the spec that Parse reads back into f.
func (f Fault) String() string {
	spec := f.Name
	for _, limit := range []struct {
		key string
		n   int
	}{{"nth", f.Nth}, {"each", f.Each}, {"rate", f.Rate}} {
		if limit.n != 0 {
			spec += fmt.Sprintf(",%s=%d", limit.key, limit.n)
		}
	}
	if f.Seed != 0 {
		spec += fmt.Sprintf(",seed=%d", f.Seed)
	}
	if f.Delay != 0 {
		spec += fmt.Sprintf(",delay=%v", f.Delay)
	}
	return spec
}

func names() []string {
	var all []string
	for _, f := range Faults {
		all = append(all, f.Name)
	}
	return all
}
