package planted

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// kept is a file's lock that KeepLock and KeepSize take and do not give back in time: its holder is a thread in a system call, until that is over.
type kept struct {
	mu     sync.Mutex
	holder uint32 // the thread, 0 if there is none
	call   []byte // its /proc/TID/syscall, which stays as it is while it sleeps in the call
}

// keep takes the lock for the system call that caused the request. A lock that is held is left to who has it: reads share it.
func (k *kept) keep(ctx context.Context) {
	caller, ok := fuse.FromContext(ctx)
	if !ok {
		return
	}
	call, ok := asleepIn(caller.Pid)
	k.mu.Lock()
	defer k.mu.Unlock()
	if ok && !k.held() {
		k.holder, k.call = caller.Pid, call
	}
}

// await waits until nobody holds the lock. Who holds it itself waits for ever, and without any work that could be taken for progress.
func (k *kept) await(ctx context.Context) {
	caller, _ := fuse.FromContext(ctx)
	for {
		k.mu.Lock()
		held, self := k.held(), caller != nil && caller.Pid == k.holder
		k.mu.Unlock()
		switch {
		case !held:
			return
		case self:
			select {}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// held tells whether the holder is still in its system call. The caller has the mutex.
func (k *kept) held() bool {
	if k.holder == 0 {
		return false
	}
	call, ok := asleepIn(k.holder)
	if !ok || !bytes.Equal(number(call), number(k.call)) {
		k.holder = 0
	}
	return k.holder != 0
}

// number is the number of the system call and its arguments: what stands behind them, the stack pointer and the program counter, is not of
// interest (proc_pid_syscall(5)).
func number(call []byte) []byte {
	fields := bytes.Fields(call)
	return bytes.Join(fields[:min(len(fields), 7)], []byte(" "))
}

// asleepIn is the system call that a thread sleeps in. A thread that runs has none to show, so it is asked again for a while.
func asleepIn(tid uint32) (call []byte, ok bool) {
	for range 1000 {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", tid))
		if err != nil {
			return nil, false
		}
		if !bytes.HasPrefix(text, []byte("running")) {
			return text, true
		}
		time.Sleep(time.Millisecond)
	}
	return nil, false
}
