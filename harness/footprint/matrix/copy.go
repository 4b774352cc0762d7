package matrix

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Copy says who did the user copy of a stopped call, and how, on a file system whose server counts that: two servers that hold nothing over a copy
// have the same cells and differ here. The numbers are those of one call that is stopped at one page and served.
type Copy struct {
	Stopped string `json:"stopped"`
	// Server is how many pages the server copied, Kernel how many calls it left to the kernel: 1, or 0 if it copied itself.
	Server int64 `json:"server"`
	Kernel int64 `json:"kernel"`
	// Retries is how often the server gave its lock back to fault pages in. UnderLock and Outside are the pages that it touched while they were
	// missing: with the lock held, and without.
	Retries   int64 `json:"retries"`
	UnderLock int64 `json:"under_lock"`
	Outside   int64 `json:"outside"`
	// Reason says why nothing was counted.
	Reason string `json:"reason,omitempty"`
}

// Count is one of the numbers of a Copy, with its name in tables and what it means.
type Count struct {
	Name, Meaning string
	Of            func(Copy) int64
}

// Counts are the numbers of a Copy in the order in which tables show them.
var Counts = []Count{
	{"by server", "pages that the server copied", func(c Copy) int64 { return c.Server }},
	{"by kernel", "calls that the server left to the kernel", func(c Copy) int64 { return c.Kernel }},
	{"retries", "times the server gave its lock back to fault pages in", func(c Copy) int64 { return c.Retries }},
	{"faults locked", "missing pages that the server touched with its lock held", func(c Copy) int64 { return c.UnderLock }},
	{"faults free", "missing pages that the server touched without a lock", func(c Copy) int64 { return c.Outside }},
}

// Words are the numbers that are not zero: "by server 1, retries 1".
func (c Copy) Words() string {
	if c.Reason != "" {
		return fmt.Sprintf("not counted (%s)", c.Reason)
	}
	var parts []string
	for _, n := range Counts {
		if v := n.Of(c); v != 0 {
			parts = append(parts, fmt.Sprintf("%s %d", n.Name, v))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing")
}

// Copy is that of a stopped call, or nil.
func (f *Footprint) Copy(stopped string) *Copy {
	at := slices.IndexFunc(f.Copies, func(c Copy) bool { return c.Stopped == stopped })
	if at < 0 {
		return nil
	}
	return &f.Copies[at]
}

// CopyChange is a stopped call whose user copy is done in another way. For one that only one side has counted, the other is nil.
type CopyChange struct{ Old, New *Copy }

// Copies are the calls whose copies differ, in the order of the old table. Where one side has counted nothing at all, there is none.
func (c Comparison) Copies() (all []CopyChange) {
	if len(c.Old.Copies) == 0 || len(c.New.Copies) == 0 {
		return nil
	}
	for i := range c.Old.Copies {
		was := &c.Old.Copies[i]
		if is := c.New.Copy(was.Stopped); is == nil || *is != *was {
			all = append(all, CopyChange{was, is})
		}
	}
	for i := range c.New.Copies {
		if is := &c.New.Copies[i]; c.Old.Copy(is.Stopped) == nil {
			all = append(all, CopyChange{nil, is})
		}
	}
	return all
}

// Worse reports faults with a lock held where there were none.
func (c CopyChange) Worse() bool { return c.both() && c.Old.UnderLock == 0 && c.New.UnderLock > 0 }

// Better reports that there are none any more.
func (c CopyChange) Better() bool { return c.both() && c.Old.UnderLock > 0 && c.New.UnderLock == 0 }

// both reports that both sides have counted.
func (c CopyChange) both() bool {
	return c.Old != nil && c.New != nil && c.Old.Reason == "" && c.New.Reason == ""
}

// String is the change in one line: "worse    pwrite stopped, copied: by kernel 1 -> by server 1, faults locked 1".
func (c CopyChange) String() string {
	how := "changed"
	switch {
	case c.Worse():
		how = "worse"
	case c.Better():
		how = "better"
	}
	was, is, stopped := "not counted", "not counted", ""
	if c.Old != nil {
		was, stopped = c.Old.Words(), c.Old.Stopped
	}
	if c.New != nil {
		is, stopped = c.New.Words(), c.New.Stopped
	}
	return fmt.Sprintf("%-7s  %s stopped, copied: %s -> %s", how, stopped, was, is)
}
