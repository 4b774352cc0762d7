package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"faultline/harness/machine"
	"faultline/harness/self"
	"faultline/targetfs/usercopy"
)

// handsRole is the child that touches file systems under test for us.
const handsRole = "target-hands"

func init() { self.Register(handsRole, handsMain) }

// touches is what hands can do. None keeps a file open or a working directory on the file system.
var touches = map[string]func(json.RawMessage) (any, error){
	"make":    touch(makeOn),
	"look":    touch(look),
	"mkdirs":  touch(mkdirs),
	"probe":   touch(probe),
	"remove":  touch(func(h home) (none, error) { return none{}, removeOurs(h) }),
	"unmount": touch(unmountPoint),
	"mount":   touch(mountAll),
	"find":    touch(findAgain),
	"allowed": touch(allowed),
	"locks":   touch(func(point string) (string, error) { return askLocks(context.Background(), point), nil }),
	"copies":  touch(func(point string) (*usercopy.Counters, error) { return askCopies(context.Background(), point) }),
	"sweep":   touch(sweep),
}

type none struct{}

// touch makes a typed function callable over the pipe.
func touch[A, R any](f func(A) (R, error)) func(json.RawMessage) (any, error) {
	return func(raw json.RawMessage) (any, error) {
		var args A
		if err := json.Unmarshal(raw, &args); err != nil {
			return nil, err
		}
		return f(args)
	}
}

// order is one line to the child, report the one that comes back.
type order struct {
	Op   string
	Args json.RawMessage
}

type report struct {
	Result json.RawMessage `json:",omitempty"`
	Error  *remoteError    `json:",omitempty"`
}

// remoteError is an error that happened in the child. The errno survives the pipe, for errors.Is.
type remoteError struct {
	Text  string
	Errno syscall.Errno `json:",omitempty"`
}

func (e *remoteError) Error() string { return e.Text }

func (e *remoteError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// handsMain serves orders until the pipe closes, which it also does when the owner dies.
func handsMain([]string) int {
	debug.SetPanicOnFault(true) // a store through a mapping may fault; probes turn that into a reason
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := in.Decode(&o); err != nil {
			return 0
		}
		if err := out.Encode(serve(o)); err != nil {
			return 0
		}
	}
}

func serve(o order) report {
	f := touches[o.Op]
	if f == nil {
		return report{Error: &remoteError{Text: "unknown order " + o.Op}}
	}
	result, err := f(o.Args)
	if err != nil {
		remote := &remoteError{Text: err.Error()}
		errors.As(err, &remote.Errno)
		return report{Error: remote}
	}
	raw, err := json.Marshal(result)
	if err != nil {
		return report{Error: &remoteError{Text: err.Error()}}
	}
	return report{Result: raw}
}

// hands is the owner's end. The child starts with the first order, on the machine of the target, and serves one order at a time.
type hands struct {
	on       machine.Machine
	patience time.Duration

	mu    sync.Mutex
	child *handsChild // nil until needed, and after it was lost
}

type handsChild struct {
	machine.Process
	answers chan report // holds one, so that a late answer blocks nobody; closed when the child closes its output
}

// ask has the child do op and decodes its result. The error is a *Hung if there was no answer in time, a *remoteError if the
// operation failed, or ctx's. After a Hung or a cancelled order the child is killed and left behind.
func ask[R any](ctx context.Context, h *hands, what, op string, args any) (R, error) {
	var result R
	if ctx.Err() != nil {
		return result, fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	raw, err := json.Marshal(args)
	if err != nil {
		return result, fmt.Errorf("%s: %w", what, err)
	}
	if err := h.start(); err != nil {
		return result, fmt.Errorf("%s: %w", what, err)
	}
	answer, err := h.exchange(ctx, what, order{op, raw})
	if err != nil {
		return result, err
	}
	if answer.Error != nil {
		return result, answer.Error
	}
	if err := json.Unmarshal(answer.Result, &result); err != nil {
		return result, fmt.Errorf("%s: %w", what, err)
	}
	return result, nil
}

func (h *hands) exchange(ctx context.Context, what string, o order) (report, error) {
	child := h.child
	if err := json.NewEncoder(child.Stdin()).Encode(o); err != nil {
		h.lose()
		return report{}, fmt.Errorf("%s: the process that touches the file system is gone: %w", what, err)
	}
	patience := time.NewTimer(h.patience)
	defer patience.Stop()
	var err error
	select {
	case answer, ok := <-child.answers:
		if ok {
			return answer, nil
		}
		err = fmt.Errorf("%s: %w", what, h.died(child))
	case <-patience.C:
		err = &Hung{What: what, For: h.patience, PID: child.PID()}
	case <-ctx.Done():
		// It has begun and mostly ends in no time: then what it has made is known, and can be put back.
		if answer, ok := child.lateAnswer(); ok {
			return answer, nil
		}
		err = fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	h.lose()
	return report{}, err
}

func (c *handsChild) lateAnswer() (report, bool) {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case answer, ok := <-c.answers:
		return answer, ok
	case <-timer.C:
		return report{}, false
	}
}

// died says how the child ended. A machine that is gone takes it along.
func (h *hands) died(child *handsChild) error {
	if death := h.on.Death(); death != nil {
		return death
	}
	return fmt.Errorf("the process that touches the file system died: %s", lastLine(child.Stderr()))
}

func (h *hands) start() error {
	if h.child != nil {
		return nil
	}
	p, err := h.on.Spawn(handsRole)
	if err != nil {
		return err
	}
	h.child = &handsChild{Process: p, answers: make(chan report, 1)}
	go h.child.listen()
	return nil
}

func (c *handsChild) listen() {
	decoder := json.NewDecoder(c.Stdout())
	for {
		var r report
		if decoder.Decode(&r) != nil {
			break
		}
		c.answers <- r
	}
	close(c.answers)
}

// lose kills a child that is of no use any more. It waits only for a moment: one that is stuck in the kernel is left.
func (h *hands) lose() {
	child := h.child
	h.child = nil
	child.Stdin().Close()
	child.Kill()
	waitFor(child.Exited(), grace)
}

// close ends the child in good order.
func (h *hands) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.child == nil {
		return
	}
	h.child.Stdin().Close()
	if waitFor(h.child.Exited(), grace) {
		h.child = nil
		return
	}
	h.lose()
}
