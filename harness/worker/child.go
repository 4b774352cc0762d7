package worker

import (
	"bufio"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Inherited descriptors of the child.
const (
	programsFD = 3 + iota
	reportsFD
	tableFD
	lifelineFD
)

// environment of the child: no garbage collection and no preemption by signals (see the package comment). A thread in a raw system call
// keeps its scheduler slot (P), so there are more of them than actors. A fixed GOMAXPROCS also keeps the runtime from stopping the world
// to adapt it.
var environment = []string{"GOGC=off", "GOMEMLIMIT=off", "GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=48", "GOTRACEBACK=single"}

// queued is how many programs are read ahead of the running one.
const queued = 4

// job is a program on its way through the child.
type job struct {
	seq  uint64
	text string
}

// childMain is the child: it reads programs, runs them and reports, until the pipe is closed.
func childMain(args []string) int {
	for fd := programsFD; fd <= lifelineFD; fd++ {
		unix.CloseOnExec(fd)
	}
	go dieWithParent()
	t, err := mapTable(tableFD)
	if err != nil {
		return complain(err)
	}
	region, err := findRegion()
	if err != nil {
		return complain(err)
	}
	cfg, p := argsConfig(args), newProgram(region, t)
	if err := p.enterDemand(cfg.Stalls); err != nil {
		return complain(err)
	}
	jobs := make(chan job, queued)
	go readJobs(os.NewFile(programsFD, "programs"), jobs)
	return work(newRunner(cfg, t), p, jobs)
}

// readJobs reads programs while the main thread runs earlier ones. It does not parse them: a thread that allocates on another processor makes every
// page that the main thread maps and unmaps dearer, by more than it saves (BenchmarkSteps).
func readJobs(from io.Reader, jobs chan<- job) {
	defer close(jobs)
	for in := bufio.NewReaderSize(from, 64<<10); ; {
		seq, text, err := readFrame(in)
		if err != nil {
			return
		}
		jobs <- job{seq, text}
	}
}

func work(r *runner, p *program, jobs <-chan job) int {
	var buf []byte
	for j := range jobs {
		report := Report{Seq: j.seq}
		if err := p.load(r.cfg, j.seq, j.text, ""); err != nil {
			report.Broken = err.Error()
		} else {
			report = r.run(p, j.text)
		}
		buf = report.Append(buf[:0])
		for rest := buf; len(rest) > 0; {
			n, err := unix.Write(reportsFD, rest)
			if err != nil && err != unix.EINTR {
				return complain(err)
			}
			rest = rest[max(n, 0):]
		}
	}
	return 0
}

// dieWithParent kills this process and its actors when the parent is gone, whatever their threads are doing: then the last writing end of the
// lifeline is closed. PR_SET_PDEATHSIG would not do, it follows the parent's thread and not the parent.
func dieWithParent() {
	var b [1]byte
	for {
		n, err := unix.Read(lifelineFD, b[:])
		if n == 0 || err != nil && err != unix.EINTR {
			// The child leads its process group, in which its actors are.
			_ = unix.Kill(0, unix.SIGKILL)
		}
	}
}
