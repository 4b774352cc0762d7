package fused

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"faultline/targetfs/control"
	"faultline/targetfs/usercopy"
)

// listen answers the clients of package control for all mounts, which exist. A mount that can't be asked is good for all else.
func (s *Server) listen() {
	for _, n := range s.nodes {
		dev, err := control.Device(n.dir)
		if err == nil {
			var l *control.Listener
			if l, err = control.Listen(dev, s.commands()); err == nil {
				s.controls = append(s.controls, l)
			}
		}
		if err != nil {
			s.log.Printf("%s can't be asked: %v", n.dir, err)
		}
	}
}

// hangUp stops answering. The device numbers of mounts that are gone are used again.
func (s *Server) hangUp() {
	for _, l := range s.controls {
		l.Close()
	}
}

// commands are what a server can be asked. All but sync answer while everything hangs.
func (s *Server) commands() control.Commands {
	return control.Commands{
		// glocks: the dump, as the kernel's debugfs file has it
		"glocks": func(w io.Writer, _ []string) error { return s.Dump(w) },
		// cycle: who waits for whom in a circle, and which user buffers are being touched
		"cycle": func(w io.Writer, _ []string) error {
			_, err := io.WriteString(w, s.copier.Explain(s.space))
			return err
		},
		// policy [NAME]: the user-copy policy; with a name, it is changed first
		"policy": s.policy,
		// counters: of the user-copy policies and of the glocks
		"counters": func(w io.Writer, _ []string) error { return s.counters(w) },
		// copies: the counters of all user-copy policies together, as JSON
		"copies": func(w io.Writer, _ []string) error { return json.NewEncoder(w).Encode(s.copier.Total()) },
		// sync: make everything durable that the kernel has sent
		"sync": func(io.Writer, []string) error { return s.Sync() },
		// withdraw: what stopped all writing
		"withdraw": func(w io.Writer, _ []string) error {
			state := "Nothing is wrong: not withdrawn."
			if err := s.Withdrawn(); err != nil {
				state = fmt.Sprintf("Withdrawn: %v", err)
			}
			_, err := fmt.Fprintln(w, state)
			return err
		},
	}
}

func (s *Server) policy(w io.Writer, args []string) error {
	if len(args) > 1 {
		return errors.New("want one name of a policy")
	}
	for _, name := range args {
		p, err := usercopy.Parse(name)
		if err == nil {
			err = s.SetPolicy(p)
		}
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, s.copier.Policy())
	return err
}

// counters writes a line for each group, with its counters that are not zero.
func (s *Server) counters(w io.Writer) error {
	var b strings.Builder
	for _, p := range usercopy.Policies()[1:] {
		fmt.Fprintf(&b, "%v:%s\n", p, nonzero(s.copier.Counters(p)))
	}
	fmt.Fprintf(&b, "left to the kernel:%s\n", nonzero(s.copier.Skips()))
	for _, n := range s.nodes {
		fmt.Fprintf(&b, "glocks of %s:%s\n", n.name, nonzero(n.glocks.Counters()))
		fmt.Fprintf(&b, "inodes of %s: %d\n", n.name, n.inodes.count())
		fmt.Fprintf(&b, "pieces of files stored around reads on %s: %d\n", n.name, n.around.count())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// nonzero lists the fields of a struct of counters: " Calls=3 Pages=12".
func nonzero(counters any) (text string) {
	v := reflect.ValueOf(counters)
	for field, value := range v.Fields() {
		if n := value.Uint(); n != 0 {
			text += fmt.Sprintf(" %s=%d", field.Name, n)
		}
	}
	return text
}
