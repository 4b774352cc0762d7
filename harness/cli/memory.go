package cli

import (
	"faultline/harness/guest"
	"faultline/harness/target"
)

// fitJobs is how many jobs fit into the memory that is available, in a file like guest.Meminfo. Each target has a guest from the beginning, and the
// one whose programs run has one for each job. A number that the user chose is not changed, but refused.
func fitJobs(jobs int, chosen bool, specs []string, meminfo string) (int, error) {
	var all, most int64
	for _, spec := range specs {
		size := target.Memory(spec)
		all, most = all+size, max(most, size)
	}
	available, err := guest.Available(meminfo)
	if most == 0 || err != nil {
		return jobs, nil // no guests, or nobody knows
	}
	fit := 1 + int((available-all)/most)
	switch {
	case available < all:
		return 0, usage("the guests of the targets take %d MiB, and %d MiB of memory are available: fewer targets, or less mem=", all>>20, available>>20)
	case jobs <= fit:
		return jobs, nil
	case chosen:
		return 0, usage("--jobs %d: guests of %d MiB do not all fit into the %d MiB of memory that are available; at most %d do, or less mem=", jobs, most>>20, available>>20, fit)
	}
	return fit, nil
}
