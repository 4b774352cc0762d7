package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"faultline/harness"
	"faultline/harness/self"
	"faultline/harness/target"
	"faultline/results"
)

// Role is that of a supervisor that a spec process starts for itself, when nobody has started one for it.
const Role = "supervisor"

func init() { self.Register(Role, superviseMain) }

// Supervise is what such a supervisor is told, as JSON in its only argument.
type Supervise struct {
	Socket  string        `json:"socket"` // path to listen on
	Suite   string        `json:"suite"`
	Target  string        `json:"target"`
	Results string        `json:"results"`
	JUnit   string        `json:"junit"`
	Timeout time.Duration `json:"timeout"`
	Repeat  int           `json:"repeat"`
}

// superviseMain serves one spec process. It writes "ready" to its standard output once it listens, or what is wrong.
func superviseMain(args []string) int {
	var s Supervise
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &s) != nil {
		fmt.Println("the supervisor takes one argument in JSON")
		return results.ExitUsage
	}
	// ^C at the terminal is for the spec process; when that ends, so do we.
	signal.Ignore(syscall.SIGINT)
	code, err := s.serve()
	if err != nil {
		fmt.Println(err)
		return max(code, results.ExitUsage)
	}
	return code
}

func (s *Supervise) serve() (int, error) {
	ctx := context.Background()
	t, err := OpenTarget(ctx, s.Target, target.Options{})
	if err != nil {
		return results.ExitUsage, err
	}
	header := results.Header{Seed: 0, Targets: []string{t.Spec}, Args: []string{"--suite", s.Suite}, Start: time.Now()}
	header.Host, _ = os.Hostname()
	rec, err := NewRecorder(Record{Dir: s.Results, JUnit: s.JUnit}, header)
	if err != nil {
		return results.ExitUsage, errors.Join(err, t.Close(ctx))
	}
	l, err := net.Listen("unix", s.Socket)
	if err != nil {
		return results.ExitIncomplete, errors.Join(err, t.Close(ctx))
	}
	fmt.Println("ready")
	desk := NewDesk(s.Suite, t, rec, harness.Options{Deadline: s.Timeout, Repeats: s.Repeat})
	conn, err := l.Accept()
	if err == nil {
		err = desk.Serve(ctx, conn)
		conn.Close()
	}
	err = errors.Join(err, desk.Close(ctx))
	code, finishErr := rec.Finish(0)
	return code, errors.Join(err, finishErr)
}
