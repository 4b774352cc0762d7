package worker

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"faultline/harness/self"
)

const (
	roleWorker  = "worker"
	roleProcess = "worker-process"
)

func init() {
	self.Register(roleWorker, childMain)
	self.Register(roleProcess, processMain)
}

// Exit codes of the child. Go's runtime exits with 2 after a fatal signal.
const (
	exitBroken    = 3
	exitActorDied = 4
)

// ordersFD and processTableFD are the inherited descriptors of an actor process.
const (
	ordersFD       = 3
	processTableFD = 4
)

// processMain is an actor with an address space of its own. Its tickets for each program are: read the program, the steps, clean up.
func processMain(args []string) int {
	index, err := strconv.Atoi(args[0])
	if err != nil {
		return complain(err)
	}
	t, err := mapTable(processTableFD)
	if err != nil {
		return complain(err)
	}
	region, err := findRegion()
	if err != nil {
		return complain(err)
	}
	a := newActor(t, &t.slots[index])
	a.space = index
	a.embody()
	a.next = a.slot.done.Load()
	cfg, p := argsConfig(args[1:]), newProgram(region, t)
	if err := p.enterDemand(cfg.Stalls); err != nil {
		return complain(err)
	}
	for orders := bufio.NewReader(os.NewFile(ordersFD, "orders")); ; {
		a.await()
		if err := a.readOrders(orders, p, cfg); err != nil {
			return complain(err)
		}
		a.finish()
		for _, c := range a.steps {
			a.await()
			a.perform(c)
			a.finish()
		}
		a.await()
		a.around(StepCleanup, func() *Trouble { p.clean(); return nil })
		a.finish()
	}
}

// readOrders loads the next program, whose first line names the actor to be.
func (a *actor) readOrders(from io.Reader, p *program, cfg Config) error {
	seq, text, err := readFrame(from)
	if err != nil {
		return err
	}
	name, text, _ := strings.Cut(text, "\n")
	if err := p.load(cfg, seq, text, name); err != nil {
		return err
	}
	a.enter(p, name)
	a.collectSteps(name)
	return nil
}

// readFrame is the inverse of frame; the error is io.EOF between two frames.
func readFrame(from io.Reader) (seq uint64, text string, err error) {
	var head [12]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return 0, "", err
	}
	body := make([]byte, binary.LittleEndian.Uint32(head[:])-8)
	_, err = io.ReadFull(from, body)
	return binary.LittleEndian.Uint64(head[4:]), string(body), err
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "faultline: worker:", err)
	return exitBroken
}
