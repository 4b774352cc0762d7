package kit

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"faultline/harness/campaign"
	"faultline/harness/self"
)

var (
	targetFlag  = flag.String("target", "", "file system to run on, as for faultline run; default a temporary directory")
	resultsFlag = flag.String("results", "", "folder for journal, JUnit and failures; default a temporary folder, kept if something failed")
	junitFlag   = flag.String("junit", "", "JUnit file; default in the results folder")
	timeoutFlag = flag.Duration("timeout", 3*time.Second, "how long one step may take before the watcher looks at it")
	repeatFlag  = flag.Int("repeat", 4, "how often a failure is run again to find its rate; 0 for never")
	all         = flag.Bool("all", false, "every program of a family instead of its quick subset")
)

// line is the connection to the supervisor.
type line struct {
	conn net.Conn
	out  *json.Encoder
	in   *json.Decoder
	// own is the supervisor that we started ourselves, nil if faultline run has; dir is its folder for socket and results.
	own *exec.Cmd
	dir string
}

// call finds the supervisor, or starts one.
func call(suite string) (*line, error) {
	if path := os.Getenv(campaign.SocketEnv); path != "" {
		return dial(path)
	}
	dir, err := os.MkdirTemp("", "faultline-suite-")
	if err != nil {
		return nil, err
	}
	s := campaign.Supervise{
		Socket: filepath.Join(dir, "s"), Suite: suite, Target: *targetFlag, Results: *resultsFlag, JUnit: *junitFlag,
		Timeout: *timeoutFlag, Repeat: *repeatFlag,
	}
	if s.Target == "" {
		s.Target = "dir:" + os.TempDir()
	}
	if s.Results == "" {
		s.Results = filepath.Join(dir, "results")
	}
	if s.Repeat == 0 {
		s.Repeat = -1
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := self.Command(campaign.Role, string(text))
	cmd.Stderr = os.Stderr
	said, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the supervisor: %w", err)
	}
	reader := bufio.NewReader(said)
	first, _ := reader.ReadString('\n')
	if strings.TrimSpace(first) != "ready" {
		rest, _ := io.ReadAll(reader)
		_ = cmd.Wait() // what it said is the reason
		return nil, fmt.Errorf("%s", strings.TrimSpace(first+string(rest)))
	}
	go io.Copy(os.Stderr, reader)
	l, err := dial(s.Socket)
	if err != nil {
		return nil, err
	}
	l.own, l.dir = cmd, dir
	return l, nil
}

func dial(path string) (*line, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, fmt.Errorf("call the supervisor: %w", err)
	}
	return &line{conn: conn, out: json.NewEncoder(conn), in: json.NewDecoder(conn)}, nil
}

func (l *line) ask(q campaign.Request) (a campaign.Answer, err error) {
	if err = l.out.Encode(q); err == nil {
		err = l.in.Decode(&a)
	}
	if err != nil {
		err = fmt.Errorf("the supervisor is gone: %w", err)
	}
	return a, err
}

// hangUp ends the conversation. Our own supervisor then finishes its files; they are kept if something failed or somebody asked for them.
func (l *line) hangUp() error {
	l.conn.Close()
	if l.own == nil {
		return nil
	}
	err := l.own.Wait()
	switch code := l.own.ProcessState.ExitCode(); {
	case code == 0, code == 3, code == 4:
		return os.RemoveAll(l.dir)
	case *resultsFlag != "":
		return fmt.Errorf("not everything passed (%v); results are in %s", err, *resultsFlag)
	default:
		return fmt.Errorf("not everything passed (%v); results are in %s", err, filepath.Join(l.dir, "results"))
	}
}
