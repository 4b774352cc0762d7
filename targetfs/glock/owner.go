package glock

import (
	"context"
	"fmt"
)

// Owner is the task that asks for glocks. Owners with a PID are told apart by it, others by Op.
type Owner struct {
	PID  int    // thread ID; 0 for work of a node that is no task's
	Comm string // name of the program, for the dump
	Op   string // what the task is doing, in words: "pread of A"
}

func (o Owner) String() string {
	op := o.Op
	if op == "" {
		op = o.Comm
	}
	switch {
	case o.PID == 0:
		return op
	case op == "":
		op = "something"
	}
	return fmt.Sprintf("%s by %d", op, o.PID)
}

// ownerKey is what makes two owners the same one. The zero key is nobody.
type ownerKey struct {
	pid int
	op  string
}

func (o Owner) key() ownerKey {
	if o.PID != 0 {
		return ownerKey{pid: o.PID}
	}
	return ownerKey{op: o.Op}
}

func (k ownerKey) nobody() bool { return k == ownerKey{} }

type ownerContext struct{}

// WithOwner is a context whose requests for glocks are the owner's.
func WithOwner(ctx context.Context, o Owner) context.Context {
	return context.WithValue(ctx, ownerContext{}, o)
}

// OwnerOf is the owner that WithOwner put into the context; the zero Owner when there is none.
func OwnerOf(ctx context.Context) Owner {
	o, _ := ctx.Value(ownerContext{}).(Owner)
	return o
}
