package pid1

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Hello is what the guest says first.
type Hello struct {
	// Protocol is that of this file; the host refuses another.
	Protocol int
	// Release and Version are those of uname(2).
	Release, Version string
	// Uptime is how long the kernel had been running.
	Uptime time.Duration
}

// Protocol is the number of the handshake; guest and host are one binary, so that it differs only by accident.
const Protocol = 1

// Order says what is to be mounted, in this order.
type Order struct {
	Mounts []Mount
	// Agent is the role of our binary that gets the channel.
	Agent string
	// Seed are random bytes of the host's, SeedSize of them.
	Seed []byte
}

// Mount is one mount(2). Point is made if it is not there.
type Mount struct {
	Source, Point, Type string
	// Options are written as for mount(8): "noatime,data=journal".
	Options string
	// Make are folders to make in it, relative to Point.
	Make []string
}

// Ready says that everything is mounted, or why not. The agent has the channel after it, if there is no error.
type Ready struct {
	Error string `json:",omitempty"`
}

// lineLimit is more than any line of the handshake has, in bytes.
const lineLimit = 64 << 10

// Send writes one line.
func Send(w io.Writer, message any) error {
	line, err := json.Marshal(message)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// Receive reads one line and not a byte more: what follows is the agent's.
func Receive[M any](r io.Reader) (M, error) {
	var message M
	var line []byte
	for one := make([]byte, 1); len(line) < lineLimit; {
		if _, err := io.ReadFull(r, one); err != nil {
			return message, fmt.Errorf("read %T: %w", message, err)
		}
		if one[0] == '\n' {
			if err := json.Unmarshal(line, &message); err != nil {
				return message, fmt.Errorf("read %T from %.80q: %w", message, line, err)
			}
			return message, nil
		}
		line = append(line, one[0])
	}
	return message, fmt.Errorf("read %T: %w", message, errors.New("the line has no end"))
}
