package vector

import "slices"

// refused says why the combination means nothing or is tried elsewhere, "" when it stays.
func (c params) refused() string {
	for _, rule := range []func(params) string{params.refusedFlags, params.refusedFault, params.refusedPieces, params.refusedMemory, params.refusedDirect} {
		if reason := rule(c); reason != "" {
			return reason
		}
	}
	return ""
}

func (c params) refusedFlags() string {
	switch {
	case c.reads && c.mode != "buffered" && c.mode != "direct":
		return "O_APPEND changes nothing for a read"
	case c.flags == "append" && c.mode != "buffered" && c.mode != "direct":
		return "the flag changes nothing with O_APPEND"
	}
	return ""
}

func (c params) refusedFault() string {
	// The first piece that cannot be touched is as certain as can be: EFAULT. Only what follows good bytes is a matter of promises.
	judged := c.fault != "none" && c.at != "first" && (c.direct || !c.reads && c.fault != "read-only")
	switch {
	case c.strict && !judged:
		return "there is nothing to promise"
	case c.strict && c.direct && c.size != "page":
		return "direct I/O promises nothing for parts of blocks"
	case c.strict && c.flags == "nowait":
		return "a transfer that must not wait promises nothing"
	case c.at == "second" && c.pieces < 3, c.at == "last" && c.pieces < 2, c.at == "middle" && c.pieces < 16:
		return "there are too few pieces for the position"
	case c.fault != "none" && c.flags != "" && c.pieces != 3:
		return "flags meet faults in vectors of three"
	}
	return ""
}

func (c params) refusedPieces() string {
	switch {
	case c.pieces == 1025 && !(c.memory == "anon" && c.fault == "none" && c.size == "byte" && !c.direct):
		return "more than IOV_MAX pieces are refused before anything is looked at"
	case c.many() && c.size != "byte" && c.size != "block":
		return "a thousand pieces are small ones"
	case c.many() && !slices.Contains([]string{"anon", "untouched", "shared", "mixed"}, c.memory):
		return "a thousand pieces are tried with the main kinds of memory"
	case c.many() && c.fault != "none" && c.fault != "unmapped" && c.fault != "munmapped":
		return "a thousand pieces are tried with the main kinds of faults"
	case c.size == "large" && (c.pieces != 1 || c.fault != "none"):
		return "a large piece stands alone"
	case c.size == "pages" && c.pieces > 3:
		return "several pages are tried in a few pieces"
	case c.fault != "none" && (c.size == "dozen" || c.size == "pages"):
		return "faults are tried with the main sizes"
	}
	return ""
}

func (c params) refusedMemory() string {
	main := slices.Contains([]string{"anon", "untouched", "shared", "shared-warm", "private", "mixed"}, c.memory)
	switch {
	case c.fault != "none" && !main:
		return "faults are tried with the main kinds of memory"
	case c.memory == "tail-other" && (c.reads || c.pieces < 2):
		return "the last of several pieces is another file only for writes"
	case c.memory == "mixed" && c.pieces < 3:
		return "a mixture needs three pieces"
	case c.memory == "overlap" && (c.size != "byte" && c.size != "dozen" || c.pieces < 2):
		return "what fits into the end of the last page is short"
	case c.memory == "overlap" && c.appends:
		return "an append does not reach the last page"
	case c.memory == "overlap" && c.direct:
		return "direct I/O does not begin in the middle of a block"
	}
	return ""
}

func (c params) refusedDirect() string {
	switch {
	case !c.direct:
		return ""
	case c.size == "byte":
		return "direct I/O takes no single bytes"
	case c.size == "dozen" && (c.pieces > 3 || c.fault != "none"):
		return "direct I/O of a few bytes is refused or buffered"
	}
	return ""
}
