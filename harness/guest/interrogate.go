package guest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"faultline/harness/guest/kernels"
)

// How long a guest that is asked from outside may take to begin with an answer, and after which pause it has ended.
const (
	answerPatience = 5 * time.Second
	answerPause    = time.Second
)

// monitorName is the socket of QEMU's monitor, in the guest's folder.
const monitorName = "monitor"

// Interrogate asks a guest that is silent what it is doing, from outside, and returns what was said: by its console or its emulator. threads are those of
// the guest that somebody waits for. It takes some seconds, and the guest is of no use afterwards: what it prints is no complaint of its own.
//
// User Mode Linux has a management console that its kernel answers in an interrupt (arch/um/drivers/mconsole_kern.c): the registers, who is blocked, and the
// stacks of threads, which it cannot always read. A processor of QEMU has registers, and gets an interrupt that cannot be masked, upon which the
// kernel panics where it is, except under KVM: see qemuMachine.
func (g *Guest) Interrogate(threads []int) string {
	mark := g.console.Mark()
	var said string
	var err error
	if g.kind == kernels.UML {
		commands := []string{"sysrq p", "sysrq w"} // not t: it reads null pointers in 6.1 and 6.12
		for _, tid := range threads {
			commands = append(commands, fmt.Sprintf("stack %d", tid))
		}
		err = askUML(filepath.Join(g.folder.Path, umlName, "mconsole"), commands)
	} else {
		said, err = askQEMU(filepath.Join(g.folder.Path, monitorName))
	}
	if err != nil {
		said += fmt.Sprintf("it cannot be asked from outside: %v\n", err)
		return said + g.console.TextSince(mark)
	}
	g.awaitQuiet(mark)
	return said + g.console.TextSince(mark)
}

// awaitQuiet waits until the console has said something new, and then no more.
func (g *Guest) awaitQuiet(mark int) {
	deadline := time.Now().Add(answerPatience)
	last, since := mark, time.Now()
	for time.Now().Before(deadline) && (last == mark || time.Since(since) < answerPause) {
		time.Sleep(answerPause / 20)
		if now := g.console.Mark(); now != last {
			last, since = now, time.Now()
		}
	}
}

// The management console of User Mode Linux takes datagrams: a magic number, a version, a length, the command; answers come to the address of who asks,
// and on the guest's console. Numbers are in the byte order of the machine.
const (
	mconsoleMagic   = 0xcafebabe
	mconsoleVersion = 2
	mconsoleBytes   = 512
)

// asked makes the addresses of this process different.
var asked atomic.Int64

func askUML(socket string, commands []string) error {
	ours := &net.UnixAddr{Name: fmt.Sprintf("@faultline-%d-%d", os.Getpid(), asked.Add(1)), Net: "unixgram"}
	c, err := net.DialUnix("unixgram", ours, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(answerPatience)) // then nothing below is waited for for ever
	for _, command := range commands {
		request := make([]byte, 12+mconsoleBytes)
		binary.NativeEndian.PutUint32(request, mconsoleMagic)
		binary.NativeEndian.PutUint32(request[4:], mconsoleVersion)
		binary.NativeEndian.PutUint32(request[8:], uint32(copy(request[12:], command)))
		if _, err := c.Write(request); err != nil {
			return fmt.Errorf("ask for %q: %w", command, err)
		}
	}
	// It does not say when an answer is complete. An answer that nobody reads would keep it waiting.
	answer := make([]byte, 2*mconsoleBytes)
	for heard := 0; ; heard++ {
		if _, err := c.Read(answer); err != nil && heard == 0 {
			return fmt.Errorf("its management console does not answer: %w", err)
		} else if err != nil {
			return nil
		}
		_ = c.SetDeadline(time.Now().Add(answerPause)) // as above
	}
}

// askQEMU has the monitor show the registers of all processors and send them the interrupt.
func askQEMU(socket string) (registers string, err error) {
	c, err := net.DialTimeout("unix", socket, answerPatience)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(answerPatience)) // then nothing below is waited for for ever
	in := bufio.NewReader(c)
	if _, err := untilPrompt(in); err != nil {
		return "", err
	}
	for _, command := range []string{"info registers -a", "nmi"} {
		if _, err := fmt.Fprintln(c, command); err != nil {
			return registers, fmt.Errorf("ask for %q: %w", command, err)
		}
		text, err := untilPrompt(in)
		if err != nil {
			return registers, fmt.Errorf("ask for %q: %w", command, err)
		}
		_, answer, _ := strings.Cut(text, "\n") // the first line is what was typed
		registers += strings.ReplaceAll(answer, "\r", "")
	}
	return registers, nil
}

// untilPrompt reads what the monitor says before it asks for the next command.
func untilPrompt(in io.ByteReader) (string, error) {
	prompt := []byte("(qemu) ")
	var text []byte
	for {
		b, err := in.ReadByte()
		if err != nil {
			return "", err
		}
		text = append(text, b)
		if bytes.HasSuffix(text, prompt) {
			return string(text[:len(text)-len(prompt)]), nil
		}
	}
}
