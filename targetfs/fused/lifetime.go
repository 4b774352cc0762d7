package fused

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"faultline/targetfs/connection"
)

// serve answers requests until all mounts are gone. Those who wait for glocks when the connections have ended, aborted perhaps
// because they hang, give up.
func (s *Server) serve() {
	var ends, all sync.WaitGroup
	for _, n := range s.nodes {
		ends.Go(func() { <-n.fuse.Gone() })
		all.Go(n.fuse.Serve)
	}
	ends.Wait()
	s.cancel()
	all.Wait()
	close(s.ended)
}

// Wait waits until all mounts are gone, unmounted by whomever, and then closes the image. It returns what Unmount would.
func (s *Server) Wait() error {
	<-s.ended
	return s.finish()
}

// Unmount unmounts all nodes and closes the image: everything is durable, and the journal is clean. While a mount is in use it
// fails with EBUSY and the server goes on.
func (s *Server) Unmount() error {
	for _, n := range s.nodes {
		if err := n.fuse.Unmount(); err != nil {
			return fmt.Errorf("unmount %s: %w", n.dir, err)
		}
	}
	return s.Wait()
}

// Detach takes the mounts away at once and goes on serving those who use them. Wait returns when the last one is done.
func (s *Server) Detach() error {
	var errs []error
	for _, n := range s.nodes {
		errs = append(errs, connection.Detach(n.dir))
	}
	return errors.Join(errs...)
}

// Abort ends the mounts whoever uses them and whatever hangs: pending requests fail, those who wait for glocks give up. What was
// answered becomes durable. It works as root, or where fusermount3 can detach the mount; what is stuck for good ends with the process.
func (s *Server) Abort() error {
	var errs []error
	for _, n := range s.nodes {
		errs = append(errs, connection.Abort(n.dir))
	}
	s.cancel()
	return errors.Join(errs...)
}

// closeTime bounds the wait for glocks when everything is unmounted: nobody can have one any more, unless an operation is stuck.
const closeTime = 10 * time.Second

// finish closes the image after the last mount is gone.
func (s *Server) finish() error {
	s.close.Do(func() {
		defer s.cancel()
		s.hangUp()
		for _, n := range s.nodes {
			n.around.wait(0)
			n.evictAll()
			n.reap()
		}
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		for _, n := range s.nodes {
			if err := n.glocks.Leave(ctx); err != nil {
				s.log.Printf("give back the glocks of %s: %v", n.name, err)
			}
		}
		s.closed = errors.Join(s.image.Close(), s.file.Close())
	})
	return s.closed
}
