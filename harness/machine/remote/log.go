package remote

import (
	"encoding/json"
	"slices"
	"sort"
	"sync"

	"faultline/harness/machine/wire"
	"faultline/harness/watch"
)

// keptLines bounds the memory of a log; a kernel that prints more between two marks has said enough.
const keptLines = 20_000

// kernelLog is what the agent has told of the guest's kernel log. The agent begins with what is new when it starts.
type kernelLog struct {
	mu    sync.Mutex
	lines []watch.Line
	last  uint64 // highest sequence number that came
	lost  uint64 // highest sequence number that is lost
}

func (l *kernelLog) add(body []byte) {
	var news wire.LogLines
	if json.Unmarshal(body, &news) != nil || len(news.Lines) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !news.Complete {
		l.lost = news.Lines[0].Seq - 1
	}
	l.lines = append(l.lines, news.Lines...)
	l.last = news.Lines[len(news.Lines)-1].Seq
	if over := len(l.lines) - keptLines; over > 0 {
		l.lost = l.lines[over-1].Seq
		l.lines = slices.Clone(l.lines[over:])
	}
}

// Mark remembers now.
func (l *kernelLog) Mark() watch.Mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	return watch.Mark(l.last)
}

// Since returns the lines after the mark; see watch.KernelLog.
func (l *kernelLog) Since(mark watch.Mark) ([]watch.Line, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := sort.Search(len(l.lines), func(i int) bool { return l.lines[i].Seq > uint64(mark) })
	return slices.Clone(l.lines[first:]), l.lost <= uint64(mark)
}

// Close does nothing: the log ends with its machine.
func (l *kernelLog) Close() error { return nil }
