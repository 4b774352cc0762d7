package fused

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"faultline/targetfs/glock"
)

// operations are glock.Operations by name: the one place that says which operation takes which glock in which state.
var operations = func() map[string]glock.Operation {
	all := map[string]glock.Operation{}
	for _, op := range glock.Operations {
		all[op.Name] = op
	}
	return all
}()

// locks are the glocks that one request takes. A request that doesn't come from a task has the owner's PID 0.
type locks struct {
	n      *node
	ctx    context.Context // ends the waiting
	op     glock.Operation
	owner  glock.Owner
	number uint64 // of the request
	held   []*glock.Holder
}

// begin starts the operation of that name, on behalf of the task that made the request, with the inode ino.
func (n *node) begin(h *fuse.InHeader, op string, ino uint64) *locks {
	return &locks{n: n, ctx: n.s.ctx, op: operations[op], number: h.Unique, owner: glock.Owner{
		PID: int(h.Pid), Comm: n.s.comms.of(int(h.Pid)), Op: op + " of " + n.s.title(ino)}}
}

// unique makes the request an owner of its own: the kernel splits one system call into several requests at a time, and reads ahead
// for a task that has gone on to its next call. Then they are not one task.
func (l *locks) unique() {
	l.owner.Op = fmt.Sprintf("%s, request %d of task %d", l.owner.Op, l.number, l.owner.PID)
	l.owner.PID = 0
}

// take takes the glock that the operation takes of the object with that role and number, and keeps it to the end of the operation,
// unless the table says otherwise.
func (l *locks) take(role glock.Role, number uint64) error {
	h, err := l.lock(l.request(role, number))
	if err != nil {
		return err
	}
	if l.takeOf(role).Brief {
		h.Unlock()
		return nil
	}
	l.held = append(l.held, h)
	return nil
}

// lock waits for a glock. What another request of the same task has is no recursion; what this one has would be.
func (l *locks) lock(r glock.Request) (*glock.Holder, error) {
	h, err := l.n.glocks.Lock(l.ctx, r)
	if l.another(err) {
		r.Owner = l.owner
		h, err = l.n.glocks.Lock(l.ctx, r)
	}
	return h, err
}

// another tells of an error whether the trap, or the check of the order, took another request of the task for this one, which is an owner
// of its own from now on.
func (l *locks) another(err error) bool {
	var has string
	if trapped, is := errors.AsType[*glock.RecursionError](err); is {
		has = trapped.New.Name.Title()
	} else if misordered, is := errors.AsType[*glock.OrderError](err); is {
		has = misordered.Has
	} else {
		return false
	}
	if slices.ContainsFunc(l.held, func(h *glock.Holder) bool { return h.Name.Title() == has }) {
		return false
	}
	l.unique()
	return true
}

// request is the request for the glock of the object with that role and number.
func (l *locks) request(role glock.Role, number uint64) glock.Request {
	r := l.takeOf(role).Request(number)
	r.Owner, r.Caller = l.owner, l.op.Name
	return r
}

// takeOf is what the operation takes of the object with that role; of several, the one that is kept to the end.
func (l *locks) takeOf(role glock.Role) glock.Take {
	for _, t := range slices.Backward(l.op.Takes) {
		if t.Of == role {
			return t
		}
	}
	panic("fused: the operation " + l.op.Name + " takes no such glock")
}

// group takes the glock of the resource group that has block addr, in which blocks are allocated or freed.
func (l *locks) group(addr uint64) error {
	if rgrp, ok := l.n.s.image.Group(addr); ok {
		return l.take(glock.Group, rgrp)
	}
	return nil
}

// allocates takes the glocks of an allocation near block goal for an inode with that owner. Which group an image allocates in is
// known afterwards only, and so the group is the one of the goal.
func (l *locks) allocates(of fuse.Owner, goal uint64) error {
	if err := l.quota(of.Uid, of.Gid); err != nil {
		return err
	}
	return l.group(goal)
}

// quota takes the glocks of the quota records of a user and a group.
func (l *locks) quota(uid, gid uint32) error {
	if l.n.s.options.Quota == 0 {
		return nil
	}
	for _, name := range []glock.Name{glock.QuotaName(uid, false), glock.QuotaName(gid, true)} {
		h, err := l.lock(glock.Request{Name: name, State: glock.SH, Owner: l.owner, Caller: l.op.Name})
		if err != nil {
			return err
		}
		l.held = append(l.held, h)
	}
	return nil
}

// takeAll takes several glocks that have no order among them.
func (l *locks) takeAll(requests []glock.Request) error {
	var all []*glock.Holder
	for _, r := range requests {
		h, err := l.n.glocks.Enqueue(l.ctx, r)
		if l.another(err) {
			r.Owner = l.owner
			h, err = l.n.glocks.Enqueue(l.ctx, r)
		}
		if err != nil {
			glock.UnlockAll(all)
			return err
		}
		all = append(all, h)
	}
	if err := glock.WaitAll(l.ctx, all...); err != nil {
		return err
	}
	l.held = append(l.held, all...)
	return nil
}

// end gives everything back.
func (l *locks) end() {
	glock.UnlockAll(l.held)
	l.held = nil
}

// comms remembers the names of programs for a moment: a request is over sooner than its task's name is read.
type comms struct {
	mu    sync.Mutex
	known map[int]comm
}

type comm struct {
	name  string
	since time.Time
}

// commLife is how long a name is believed; a PID is not used again so soon.
const commLife = time.Second

func (c *comms) of(pid int) string {
	if pid == 0 {
		return ""
	}
	now := time.Now()
	c.mu.Lock()
	known, ok := c.known[pid]
	c.mu.Unlock()
	if ok && now.Sub(known.since) < commLife {
		return known.name
	}
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	name := strings.TrimSpace(string(text))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) > 1000 {
		c.known = map[int]comm{}
	}
	c.known[pid] = comm{name, now}
	return name
}
