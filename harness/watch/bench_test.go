package watch_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"faultline/harness/watch"
)

// BenchmarkTake prints what a snapshot of this process costs beside plain reads of the same files.
func BenchmarkTake(b *testing.B) {
	pid := os.Getpid()
	var ours, plain time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := watch.Take(pid); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			b.Fatal(err)
		}
		for _, entry := range entries {
			for _, file := range []string{"stat", "status", "schedstat", "wchan", "syscall", "stack"} {
				os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/%s", pid, entry.Name(), file))
			}
		}
		ours += middle.Sub(began)
		plain += time.Since(middle)
	}
	b.ReportMetric(float64(ours)/float64(plain), "x/plain-reads")
}
