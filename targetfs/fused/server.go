package fused

import (
	"context"
	"fmt"
	"io"
	"log"
	"strconv"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"faultline/targetfs/control"
	"faultline/targetfs/disk"
	"faultline/targetfs/glock"
	"faultline/targetfs/image"
	"faultline/targetfs/session"
	"faultline/targetfs/usercopy"
)

// Server is a mounted image. Its methods may be called from several goroutines.
type Server struct {
	options Options
	log     *log.Logger
	file    *eager // the image, locked
	image   *image.Image
	space   *glock.Space
	nodes   []*node
	comms   comms
	names   names
	locks   fileLocks
	copier  *usercopy.Copier
	// controls are asked about the mounts, one for each.
	controls []*control.Listener

	ctx    context.Context // ends when nothing can be answered any more: what waits for a glock gives up
	cancel context.CancelFunc
	ended  chan struct{} // closed when all mounts are gone
	close  sync.Once
	closed error
}

// node is one mount of the image: a machine of the cluster, with glocks of its own.
type node struct {
	fuse.RawFileSystem
	s       *Server
	name    string
	dir     string
	glocks  *glock.Node
	fuse    *session.Session
	inodes  inodes
	faults  faults
	orphans orphans
	around  *around
	listed  listed
}

// Image is what the server serves.
func (s *Server) Image() *image.Image { return s.image }

// Space is the glocks of all nodes.
func (s *Server) Space() *glock.Space { return s.space }

// Node is the glocks of node i.
func (s *Server) Node(i int) *glock.Node { return s.nodes[i].glocks }

// Nodes is the number of mounts.
func (s *Server) Nodes() int { return len(s.nodes) }

// Dirs are where the nodes are mounted.
func (s *Server) Dirs() []string { return s.options.Dirs }

// Options are what the image was mounted with.
func (s *Server) Options() Options { return s.options }

// Withdrawn is the inconsistency that stopped all writing, nil while all is well.
func (s *Server) Withdrawn() error { return s.image.Withdrawn() }

// Sync makes everything durable that was written so far and that the kernel has sent.
func (s *Server) Sync() error { return s.image.Sync() }

// Dump writes the glocks of all nodes as the kernel's debugfs file does, each node under a line with its name where there are
// several.
func (s *Server) Dump(w io.Writer) error {
	for _, n := range s.nodes {
		if len(s.nodes) > 1 {
			if _, err := fmt.Fprintf(w, "# %s on %s\n", n.name, n.dir); err != nil {
				return err
			}
		}
		if err := n.glocks.Dump(w); err != nil {
			return err
		}
	}
	return nil
}

// commit flushes at intervals while something may be dirty, for syncfs(2) doesn't reach the server.
func (s *Server) commit() {
	every := s.options.Commit
	if every == 0 {
		every = 5 * time.Second
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-s.ended:
			return
		case <-ticker.C:
		}
		if s.image.Dirty() {
			if err := s.image.Sync(); err != nil {
				s.log.Printf("flush after %v: %v", every, err)
			}
		}
	}
}

// view is image.View.
func (s *Server) view(fn func(tx *image.Tx) error) error { return s.image.View(fn) }

// stat is the inode ino.
func (s *Server) stat(ino uint64) (di disk.Dinode, err error) {
	err = s.view(func(tx *image.Tx) (err error) {
		di, err = tx.Stat(ino)
		return err
	})
	return di, err
}

// names remembers under which name an inode was last looked up, so that cycles and dumps can be read.
type names struct {
	mu    sync.RWMutex
	known map[uint64]string
}

// maxNames bounds the memory that names take.
const maxNames = 10_000

func (n *names) set(ino uint64, name string) {
	n.mu.RLock()
	same := n.known[ino] == name
	n.mu.RUnlock()
	if same {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil || len(n.known) >= maxNames {
		n.known = map[uint64]string{}
	}
	n.known[ino] = name
}

// title is what an inode is called in texts for people.
func (s *Server) title(ino uint64) string {
	s.names.mu.RLock()
	name := s.names.known[ino]
	s.names.mu.RUnlock()
	switch {
	case name != "":
		return name
	case ino == s.image.Root():
		return "/"
	}
	return "inode " + strconv.FormatUint(ino, 10)
}
