package watch

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// keptLines bounds the memory of a KernelLog; a kernel that prints more between two marks has said enough.
const keptLines = 20_000

// Line is one record of the kernel log.
type Line struct {
	Seq      uint64        // sequence number in the kernel's buffer; 0 if read from a console
	Level    int           // 0 emergency to 7 debug (syslog(2)); -1 unknown
	Facility int           // 0 the kernel itself; others were written by user space
	At       time.Duration // since boot
	Text     string
}

// KernelLog reads /dev/kmsg from the moment it is opened. It is safe for concurrent use.
type KernelLog struct {
	mu     sync.Mutex
	fd     int
	reason string
	last   uint64 // highest sequence number seen
	lines  []Line
	gap    bool   // records were overwritten before we read them; the next one tells which
	lost   uint64 // highest sequence number that is lost, overwritten or dropped
}

// Mark is a point in the kernel log.
type Mark uint64

// OpenKernelLog opens the log, or returns one that is always empty and says why in Reason.
func OpenKernelLog() *KernelLog {
	return openKernelLog("/dev/kmsg")
}

func openKernelLog(path string) *KernelLog {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return &KernelLog{fd: -1, reason: fmt.Sprintf("open %s: %v", path, err)}
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		unix.Close(fd)
		return &KernelLog{fd: -1, reason: fmt.Sprintf("go to the end of %s: %v", path, err)}
	}
	return &KernelLog{fd: fd}
}

// Reason says why there is no log; empty if there is one.
func (l *KernelLog) Reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reason
}

// Mark remembers now.
func (l *KernelLog) Mark() Mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drain()
	return Mark(l.last)
}

// Since returns the records after the mark, oldest first. complete is false if some of them are lost, or if there is no log.
func (l *KernelLog) Since(mark Mark) (lines []Line, complete bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drain()
	complete = l.reason == "" && l.lost <= uint64(mark)
	// It is asked after every program, and there may be thousands of lines.
	first := sort.Search(len(l.lines), func(i int) bool { return l.lines[i].Seq > uint64(mark) })
	return slices.Clone(l.lines[first:]), complete
}

// Close ends the reading. Lines already read stay.
func (l *KernelLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd < 0 {
		return nil
	}
	err := unix.Close(l.fd)
	l.fd, l.reason = -1, "closed"
	return err
}

// drain reads what has come since the last time. One read is one record (Documentation/ABI/testing/dev-kmsg).
func (l *KernelLog) drain() {
	record := make([]byte, 8192+1024) // CONSOLE_EXT_LOG_MAX, and room to spare
	for l.fd >= 0 {
		n, err := unix.Read(l.fd, record)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EPIPE):
			l.gap = true // the next read continues with the oldest record left
			continue
		case err != nil || n == 0:
			return // EAGAIN: no more for now
		}
		if line, err := parseRecord(string(record[:n])); err == nil {
			l.keep(line)
		}
	}
}

func (l *KernelLog) keep(line Line) {
	if l.gap {
		l.lost, l.gap = line.Seq-1, false
	}
	l.last = line.Seq
	l.lines = append(l.lines, line)
	if len(l.lines) > keptLines {
		l.lost = l.lines[keptLines/2-1].Seq
		l.lines = append([]Line(nil), l.lines[keptLines/2:]...)
	}
}

// parseRecord reads "priority,sequence,microseconds,flags[,more];text" and drops the lines of key-values after it.
func parseRecord(record string) (Line, error) {
	header, text, ok := strings.Cut(record, ";")
	fields := strings.Split(header, ",")
	if !ok || len(fields) < 3 {
		return Line{}, fmt.Errorf("parse kernel log record %q: no header", record)
	}
	var numbers [3]uint64
	for i := range numbers {
		n, err := strconv.ParseUint(fields[i], 10, 63)
		if err != nil {
			return Line{}, fmt.Errorf("parse kernel log record %q: %w", record, err)
		}
		numbers[i] = n
	}
	text, _, _ = strings.Cut(text, "\n")
	return Line{
		Level:    int(numbers[0] & 7),
		Facility: int(numbers[0] >> 3),
		Seq:      numbers[1],
		At:       time.Duration(numbers[2]) * time.Microsecond,
		Text:     text,
	}, nil
}

// ParseConsole reads what a kernel prints on a console, or dmesg does: "[   12.345678] text", also with a level ("<4>") and
// with the caller ("[  T123]", CONFIG_PRINTK_CALLER). A line without a time stamp is taken as it is, with At 0.
func ParseConsole(text string) []Line {
	var lines []Line
	for raw := range strings.Lines(text) {
		raw = strings.TrimRight(raw, "\r\n")
		if raw == "" {
			continue
		}
		lines = append(lines, parseConsoleLine(raw))
	}
	return lines
}

func parseConsoleLine(raw string) Line {
	line := Line{Level: -1, Text: raw}
	if m := consoleLevel.FindStringSubmatch(line.Text); m != nil {
		if priority, err := strconv.ParseUint(m[1], 10, 16); err == nil {
			line.Level, line.Facility = int(priority&7), int(priority>>3)
			line.Text = line.Text[len(m[0]):]
		}
	}
	if m := consoleStamp.FindStringSubmatch(line.Text); m != nil {
		if at, err := strconv.ParseFloat(m[1], 64); err == nil {
			line.At = time.Duration(at * float64(time.Second))
			line.Text = line.Text[len(m[0]):]
		}
	}
	return line
}
