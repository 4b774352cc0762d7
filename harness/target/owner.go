package target

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// sentinelName is the file that marks a folder as ours.
const sentinelName = ".faultline"

// sentinelTitle is the first line of a sentinel, for people who find one.
const sentinelTitle = "faultline made this folder and deletes it; the lines below say who owns it"

// mark is what a sentinel says: which folder this is and whose.
type mark struct {
	ID    string // random; one per folder
	Owner owner
}

// owner names a process for good, across reboots and process-id reuse.
type owner struct {
	Host      string
	Boot      string // /proc/sys/kernel/random/boot_id
	Namespace string // of process ids
	PID       int
	Start     uint64 // clock ticks after boot
}

// us is the owner that this process is.
func us() (owner, error) { return ownerOf(os.Getpid()) }

func ownerOf(pid int) (owner, error) {
	host, err := os.Hostname()
	if err != nil {
		return owner{}, fmt.Errorf("name the owner of a folder: %w", err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return owner{}, fmt.Errorf("name the owner of a folder: %w", err)
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return owner{}, fmt.Errorf("name the owner of a folder: %w", err)
	}
	start, err := startTime(pid)
	if err != nil {
		return owner{}, fmt.Errorf("name the owner of a folder: %w", err)
	}
	return owner{host, strings.TrimSpace(string(boot)), namespace, pid, start}, nil
}

// startTime is field 22 of /proc/PID/stat (proc_pid_stat(5)); the name before it may hold blanks and parentheses.
func startTime(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const state, start = 3, 22
	if len(fields) <= start-state {
		return 0, fmt.Errorf("parse /proc/%d/stat: too few fields", pid)
	}
	return strconv.ParseUint(fields[start-state], 10, 64)
}

// dead reports an owner that certainly lives no more. One that this process cannot judge, on another host or in another
// PID namespace, is not dead.
func (o owner) dead() bool {
	here, err := us()
	if err != nil || o.Host != here.Host {
		return false
	}
	if o.Boot != here.Boot {
		return true
	}
	if o.Namespace != here.Namespace {
		return false
	}
	start, err := startTime(o.PID)
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	return start != o.Start
}

func newMark(o owner) mark { return mark{ID: strings.ToLower(rand.Text()), Owner: o} }

// text is the content of the sentinel, parseMark its inverse.
func (m mark) text() string {
	return fmt.Sprintf("%s\nid %s\nhost %s\nboot %s\nnamespace %s\npid %d\nstart %d\n",
		sentinelTitle, m.ID, m.Owner.Host, m.Owner.Boot, m.Owner.Namespace, m.Owner.PID, m.Owner.Start)
}

func parseMark(text string) (mark, error) {
	var m mark
	values := map[string]string{}
	title, rest, _ := strings.Cut(text, "\n")
	for line := range strings.Lines(rest) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		values[key] = value
	}
	pid, pidErr := strconv.Atoi(values["pid"])
	start, startErr := strconv.ParseUint(values["start"], 10, 64)
	m = mark{values["id"], owner{values["host"], values["boot"], values["namespace"], pid, start}}
	if title != sentinelTitle || m.ID == "" || m.Owner.Boot == "" || errors.Join(pidErr, startErr) != nil {
		return mark{}, errors.New("this is not a sentinel of ours")
	}
	return m, nil
}
