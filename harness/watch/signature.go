package watch

import (
	"regexp"
	"strings"
)

// rawFrame is one line of /proc/PID/stack: an address (hidden as 0 since 4.15), a name with offset and size, a module.
var rawFrame = regexp.MustCompile(`^\[<[0-9a-fA-Fx]+>\] ([^\s+]+)`)

// compilerSuffix is what gcc and clang append to the name of a function they split or specialised.
var compilerSuffix = regexp.MustCompile(`(\.(isra|constprop|part|cold|llvm|localalias|lto_priv)(\.\d+)*)+$`)

// frameName is the function of a line of /proc/PID/stack, as it is called in the source. A frame that the kernel could
// not name is "".
func frameName(line string) string {
	name := line
	if m := rawFrame.FindStringSubmatch(line); m != nil {
		name = m[1]
	}
	name, _, _ = strings.Cut(name, "+")
	if strings.HasPrefix(name, "0x") || strings.ContainsAny(name, " <>[]") {
		return ""
	}
	return compilerSuffix.ReplaceAllString(name, "")
}

// Signature reduces a kernel stack (innermost frame first) to what tells one failure from another, for example
// "gfs2_glock_nq < gfs2_fault < copy to user < gfs2_file_read_iter". Scheduler, entry code and generic wrappers are left
// out, the many ways to copy to a user buffer are one, and offsets and compiler suffixes do not matter. It is empty for an
// empty stack.
func Signature(stack []string) string {
	var parts []string
	var before frame
	for _, name := range names(stack) {
		known := lookUp(name)
		switch known.role {
		case noise, entry, fault, lock, inlined:
			continue
		case class, pin, remote:
			name = known.words
		}
		sameWait := known.role == wait && known == before // the innermost of them is enough
		before = known
		last := len(parts) - 1
		switch {
		case sameWait, last >= 0 && parts[last] == name:
		case last >= 0 && parts[last] == anyCopy && known.role == class:
			parts[last] = name // the assembly of a copy is on the stack of some machines only
		default:
			parts = append(parts, name)
		}
	}
	if _, path := faultPath(stack); path == faultFromUser {
		parts = append(parts, "user space")
	}
	return strings.Join(parts, " < ")
}

// tailCalls are functions that some compilers have their only caller jump to, so that the caller is not on the stack: they stand for it.
var tailCalls = map[string]string{"gfs2_glock_wait": "gfs2_glock_nq"}

// names are the functions of a stack; the end marker of old kernels and unnamed frames are left out.
func names(stack []string) []string {
	var all []string
	stoodFor := "" // by the function further in
	for _, line := range stack {
		name := frameName(line)
		if name == "" || name == stoodFor {
			continue
		}
		if stoodFor = tailCalls[name]; stoodFor != "" {
			name = stoodFor
		}
		all = append(all, name)
	}
	return all
}
