package glock_test

import (
	"context"
	"fmt"
	"os"

	"faultline/targetfs/glock"
)

// Two tasks read one file into a mapping of the other, and each one's fault needs what the other one holds.
func Example() {
	files := map[glock.Name]string{glock.InodeName(2343): "A", glock.InodeName(2344): "B"}
	space := glock.NewSpace(func(n glock.Name) string { return files[n] })
	node := space.Join(glock.Options{Name: "n0"})
	ask := func(pid int, op string, addr uint64) *glock.Holder {
		ctx := glock.WithOwner(context.Background(), glock.Owner{PID: pid, Comm: "cat", Op: op})
		h, err := node.Enqueue(ctx, glock.Request{Name: glock.InodeName(addr), State: glock.EX, Caller: op})
		if err != nil {
			fmt.Println(err)
		}
		return h
	}
	ask(1, "pwrite of A", 2343)
	ask(2, "pwrite of B", 2344)
	ask(1, "fault in B", 2344)
	ask(2, "fault in A", 2343)
	fmt.Print(space.Explain(space.Cycle()))
	if err := node.Dump(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// pwrite of A by 1 holds A (EX) and waits for B (EX), which
	// pwrite of B by 2 holds (EX), and waits for A (EX), which
	// pwrite of A by 1 holds (EX).
	// G:  s:EX n:2/927 f:qb t:EX d:EX/0 a:0 v:0 r:4 m:0 p:0
	//  H: s:EX f:H e:0 p:1 [cat] pwrite of A
	//  H: s:EX f:W e:0 p:2 [cat] fault in A
	// G:  s:EX n:2/928 f:qb t:EX d:EX/0 a:0 v:0 r:4 m:0 p:0
	//  H: s:EX f:H e:0 p:2 [cat] pwrite of B
	//  H: s:EX f:W e:0 p:1 [cat] fault in B
}
