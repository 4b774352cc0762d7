package watch

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Sample is all that a Judge looks at, at one moment: the process under watch, the servers of its target, and how busy
// the world below is.
type Sample struct {
	At      time.Time
	Took    time.Duration // from the question to the answer
	Process Snapshot
	Servers []Snapshot
	Disks   map[string]Disk // by device name; nil if unknown
	Load    float64         // threads that run or want to run, per CPU; 0 if unknown
	Problem string          `json:",omitempty"` // why Process could not be read although it is not gone
}

// server finds a server by its process id; one that is not there has no threads.
func (s Sample) server(pid int) Snapshot {
	for _, server := range s.Servers {
		if server.PID == pid {
			return server
		}
	}
	return Snapshot{PID: pid}
}

// Disk is the progress of one block device since boot (Documentation/admin-guide/iostats.rst).
type Disk struct {
	Completed uint64        // requests finished: reads, writes, discards, flushes
	InFlight  uint64        // requests not finished yet
	Busy      time.Duration // time with at least one request in flight
}

// Sampler takes Samples.
type Sampler struct {
	PID     int
	Servers []int                           // processes that serve the target, a FUSE server for example
	Disks   func() (map[string]Disk, error) // nil: all devices of /proc/diskstats
}

// Sample takes one. It always returns, within seconds even if /proc does not answer.
func (s Sampler) Sample() Sample {
	sample := Sample{At: time.Now(), Load: Load()}
	process, err := Take(s.PID)
	if err != nil && !gone(err) {
		sample.Problem = err.Error()
	}
	sample.Process = process
	for _, pid := range s.Servers {
		// A server that is gone has no tasks: it neither runs nor waits, and that is all the judge asks.
		server, _ := Take(pid)
		sample.Servers = append(sample.Servers, server)
	}
	disks := s.Disks
	if disks == nil {
		disks = Diskstats
	}
	// Without disk statistics (a guest without block devices) there is nothing to wait for.
	sample.Disks, _ = disks()
	sample.Took = time.Since(sample.At)
	return sample
}

// Diskstats reads /proc/diskstats.
func Diskstats() (map[string]Disk, error) {
	text, err := ask("/proc/diskstats")
	if err != nil {
		return nil, err
	}
	return parseDiskstats(text)
}

// parseDiskstats reads lines of "major minor name" and 11, 15 (4.18, discards) or 17 (5.5, flushes) numbers.
func parseDiskstats(text []byte) (map[string]Disk, error) {
	const name, reads, writes, inFlight, busy, discards, flushes = 2, 3, 7, 11, 12, 14, 18
	disks := map[string]Disk{}
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		if len(fields) == 0 {
			continue
		}
		if len(fields) <= busy {
			return nil, fmt.Errorf("parse diskstats %q: too few fields", line)
		}
		number := func(i int) (n uint64) {
			if i < len(fields) {
				n, _ = strconv.ParseUint(fields[i], 10, 64)
			}
			return n
		}
		disks[fields[name]] = Disk{
			Completed: number(reads) + number(writes) + number(discards) + number(flushes),
			InFlight:  number(inFlight),
			Busy:      time.Duration(number(busy)) * time.Millisecond,
		}
	}
	return disks, nil
}

// Load is the number of runnable threads per CPU, from the fourth field of /proc/loadavg ("3/512"), now and not averaged; 0 if unknown.
func Load() float64 {
	text, err := ask("/proc/loadavg")
	if err != nil {
		return 0
	}
	return parseLoad(text) / float64(runtime.NumCPU())
}

func parseLoad(text []byte) float64 {
	fields := strings.Fields(string(text))
	if len(fields) < 4 {
		return 0
	}
	runnable, _, _ := strings.Cut(fields[3], "/")
	n, err := strconv.ParseUint(runnable, 10, 32)
	if err != nil {
		return 0
	}
	return float64(n)
}
