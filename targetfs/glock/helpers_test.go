package glock

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

var file = InodeName(0x927)

func task(pid int) Owner { return Owner{PID: pid, Comm: "task", Op: "test"} }

func request(pid int, s State, f Flags) Request {
	return Request{Owner: task(pid), Name: file, State: s, Flags: f, Caller: "test"}
}

func enqueue(t testing.TB, n *Node, r Request) *Holder {
	t.Helper()
	h, err := n.Enqueue(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func granted(all ...*Holder) (is []bool) {
	for _, h := range all {
		is = append(is, h.Granted())
	}
	return is
}

// soon is a context for what has to happen, with a deadline that only a hang reaches.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// within waits for a condition that has to come true.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after 60 s", what)
		}
	}
}

// notes is what hooks were called for.
type notes struct {
	mu  sync.Mutex
	all []string
}

func (c *notes) add(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, s)
}

func (c *notes) get() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.all...)
}

func (c *notes) hooks(node string) Hooks {
	return Hooks{
		Sync: func(_ context.Context, n Name) { c.add(node + " sync " + n.String()) },
		Invalidate: func(_ context.Context, n Name, to State) {
			c.add(node + " invalidate " + n.String() + " " + to.String())
		},
	}
}

// finish unlocks what is left and lets the nodes leave: nothing may stay behind.
func finish(t *testing.T, s *Space) {
	t.Helper()
	g := gomega.NewWithT(t)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	nodes := s.nodes
	for _, n := range nodes {
		g.Expect(n.Leave(ctx)).To(gomega.Succeed())
		g.Expect(n.glocks).To(gomega.BeEmpty())
		g.Expect(n.order).To(gomega.BeEmpty())
	}
	g.Expect(s.nodes).To(gomega.BeEmpty())
	g.Expect(s.lines).To(gomega.BeEmpty())
	g.Expect(s.Edges()).To(gomega.BeEmpty())
}
