package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"faultline/harness/mount"
	"faultline/harness/watch"
	"faultline/targetfs/control"
	"faultline/targetfs/disk"
	"faultline/targetfs/image"
	"faultline/targetfs/usercopy"
)

func fuseKind() Kind {
	return Kind{
		Name:     "fuse",
		Optional: true,
		Usage:    "fuse[:copy=" + policyNames("|") + "][,size=512M][,bsize=4096][,format=1802][,nodes=1]",
		Doc:      "the bundled GFS2 on a fresh image, served over FUSE from a process of its own; the image is checked at the end",
		Needs:    []string{"/dev/fuse", "root or fusermount3"},
		open:     openFuse,
	}
}

// fuseOptions are what a fuse spec says.
type fuseOptions struct {
	copy   usercopy.Policy
	chosen bool  // the policy was asked for
	size   int64 // of the image, bytes
	bsize  int   // bytes
	format int
	nodes  int // mounts of the image; programs run on the first
}

func policyNames(between string) string {
	var names []string
	for _, p := range usercopy.Policies() {
		names = append(names, p.String())
	}
	return strings.Join(names, between)
}

// fuseDefaults are the options that a spec need not say.
var fuseDefaults = fuseOptions{copy: usercopy.NoFault, size: defaultImageSize, bsize: 4096, format: disk.Format1802, nodes: 1}

func parseFuse(spec, arg string) (fuseOptions, error) {
	o := fuseDefaults
	first, values, err := splitOptions(spec, arg, "copy", "size", "bsize", "format", "nodes")
	if err != nil {
		return o, err
	}
	if first != "" {
		return o, &UsageError{spec, fmt.Sprintf("there is no option %q: %s", first, fuseKind().Usage)}
	}
	if name, given := values["copy"]; given {
		if o.copy, err = usercopy.Parse(name); err != nil {
			return o, &UsageError{spec, err.Error()}
		}
		o.chosen = true
	}
	if text, given := values["size"]; given {
		if o.size, err = parseSize(spec, text); err != nil {
			return o, err
		}
	}
	for key, to := range map[string]*int{"bsize": &o.bsize, "format": &o.format, "nodes": &o.nodes} {
		text, given := values[key]
		if !given {
			continue
		}
		if *to, err = strconv.Atoi(text); err != nil || *to < 1 {
			return o, &UsageError{spec, fmt.Sprintf("%s=%s is not a number", key, text)}
		}
	}
	if err := o.formatting().Validate(o.size); err != nil {
		return o, &UsageError{spec, err.Error()}
	}
	return o, nil
}

func (o fuseOptions) formatting() image.FormatOptions {
	return image.FormatOptions{
		BlockSize: disk.BlockSize(o.bsize), Version: uint32(o.format), Journals: o.nodes,
		RootUID: uint32(os.Geteuid()), RootGID: uint32(os.Getegid()),
	}
}

// spec is the canonical form: what is not the default, in a fixed order.
func (o fuseOptions) spec() string {
	var options []string
	add := func(differs bool, key string, value any) {
		if differs {
			options = append(options, fmt.Sprintf("%s=%v", key, value))
		}
	}
	d := fuseDefaults
	add(o.copy != d.copy, "copy", o.copy)
	add(o.size != d.size, "size", sizeText(o.size))
	add(o.bsize != d.bsize, "bsize", o.bsize)
	add(o.format != d.format, "format", o.format)
	add(o.nodes != d.nodes, "nodes", o.nodes)
	return strings.TrimSuffix("fuse:"+strings.Join(options, ","), ":")
}

// openFuse makes the image, and serves it from a process of its own. The image is in memory where nobody said otherwise.
func openFuse(ctx context.Context, b *local, arg string) error {
	o, err := parseFuse(b.spec, arg)
	if err != nil {
		return err
	}
	note, forbidden := allow(&o.copy, o.chosen, usercopy.Allowed())
	b.spec = o.spec()
	if b.anywhere && len(lacksRoom(memory, o.size)) == 0 {
		b.opts.Temp = memory
	}
	if err := missing(b.spec, forbidden, lacksFuse(), lacksRoom(b.opts.Temp, o.size)); err != nil {
		return err
	}
	if err := b.makeTemp(ctx); err != nil {
		return err
	}
	path := filepath.Join(b.temp.Path, "image")
	if err := formatImage(path, o.size, o.formatting()); err != nil {
		return err
	}
	if err := b.mountFuse(ctx, o, path); err != nil {
		return err
	}
	if err := b.settleOurs(ctx); err != nil {
		return err
	}
	b.setLack("eof-first", nodesLackEOFFirst(o.nodes))
	b.facts.Note = note
	return nil
}

// nodesLackEOFFirst is what reads of a server of our own lack that has several nodes.
func nodesLackEOFFirst(nodes int) string {
	if nodes == 1 {
		return ""
	}
	return "where several nodes share the image, the kernel takes the pages of a read's buffer before it asks (fs/fuse/file.c: fuse_direct_io)"
}

// allow falls back to the policy kernel where the server may not look at its callers, as err says, and says so; a policy that was asked for is then
// missing.
func allow(policy *usercopy.Policy, chosen bool, err error) (note string, forbidden []lack) {
	switch {
	case err == nil || *policy == usercopy.Kernel:
		return "", nil
	case chosen:
		return "", []lack{{fmt.Sprintf("copy=%v must look at callers: %v", *policy, err), "root, sysctl kernel.yama.ptrace_scope=0, or copy=kernel"}}
	}
	note = fmt.Sprintf("copy=%v must look at callers, and so copy=kernel is used: %v", *policy, err)
	*policy = usercopy.Kernel
	return note, nil
}

// memory is a tmpfs that everybody may use.
const memory = "/dev/shm"

// formatImage makes a GFS2 with our own mkfs.
func formatImage(path string, size int64, options image.FormatOptions) error {
	if err := makeImage(path, size); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("make an image: %w", err)
	}
	defer f.Close()
	return image.Format(f, size, options)
}

// mountFuse starts the server. The first undo is the last to be done: the image is checked when the server has closed it.
func (b *local) mountFuse(ctx context.Context, o fuseOptions, path string) error {
	a := mount.Args{Image: path, Dirs: []string{b.point()}, Options: fmt.Sprintf("copy=%v,nodes=%d", o.copy, o.nodes), Lease: true}
	for i := 1; i < o.nodes; i++ {
		dir := fmt.Sprintf("%s%d", b.point(), i)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		a.Dirs = append(a.Dirs, dir)
	}
	b.later("check the image", func(ctx context.Context) error { return b.endServer(ctx, path) })
	for _, dir := range a.Dirs[1:] {
		b.later("unmount "+dir, func(ctx context.Context) error {
			_, err := ask[bool](context.WithoutCancel(ctx), b.hands, "unmount "+dir, "unmount", unmountArgs{Point: dir, Lazy: b.ruined() != nil})
			return err
		})
	}
	b.later("unmount", func(ctx context.Context) error { return b.unmount(ctx, nil) })
	server, err := startServer(ctx, b.opts.Patience, mount.Role, a.Strings()...)
	if err != nil {
		return err
	}
	b.server = server
	b.server.connection, err = watch.FuseConnection(b.point())
	return err
}

// Locks asks the server of a bundled GFS2, over a socket that does not hang when the mount does.
func (b *local) Locks(ctx context.Context) string {
	if b.server == nil || b.mount.Type != fuseType {
		return ""
	}
	if b.guest == nil {
		return askLocks(ctx, b.point())
	}
	text, err := ask[string](ctx, b.hands, "ask the server of "+guestPoint+" for its locks", "locks", guestPoint)
	if err != nil {
		return err.Error()
	}
	return text
}

func askLocks(ctx context.Context, point string) string {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	var said strings.Builder
	for _, command := range []string{"cycle", "glocks", "counters"} {
		text, err := control.Ask(ctx, point, command)
		if err != nil {
			text = err.Error()
		}
		fmt.Fprintf(&said, "%s:\n\n%s\n", command, text)
	}
	return said.String()
}

// Copies asks the server of a bundled GFS2 as Locks does.
func (b *local) Copies(ctx context.Context) (*usercopy.Counters, error) {
	switch {
	case b.server == nil || b.mount.Type != fuseType:
		return nil, nil
	case b.guest == nil:
		return askCopies(ctx, b.point())
	}
	return ask[*usercopy.Counters](ctx, b.hands, "ask the server of "+guestPoint+" for its copies", "copies", guestPoint)
}

func askCopies(ctx context.Context, point string) (*usercopy.Counters, error) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	text, err := control.Ask(ctx, point, "copies")
	if err != nil {
		return nil, err
	}
	n := &usercopy.Counters{}
	if err := json.Unmarshal([]byte(text), n); err != nil {
		return nil, fmt.Errorf("read what the server of %s counts: %w", point, err)
	}
	return n, nil
}

// fuseType is the type of our mounts in mountinfo, lockPatience how long a server may take to tell of its locks.
const (
	fuseType     = "fuse.gfs2"
	lockPatience = 5 * time.Second
)

// endServer waits for the server to close the image, and checks what it leaves behind: as it is after a good end, and after an abort or a kill
// once the journal was replayed.
func (b *local) endServer(ctx context.Context, path string) error {
	if b.server == nil {
		return nil
	}
	hangs := b.ruined() != nil
	err := b.server.finish(b.opts.Patience, hangs)
	if ctx.Err() != nil {
		return err
	}
	if hangs || err != nil {
		if replayErr := replayImage(path); replayErr != nil {
			return errors.Join(err, replayErr)
		}
	}
	return errors.Join(err, b.checkImage(ctx, path))
}

// replayImage opens and closes an image.
func replayImage(path string) error {
	f, size, err := openSized(path)
	if err != nil {
		return err
	}
	defer f.Close()
	im, err := image.Open(f, size, image.Options{AnyProtocol: true})
	if err != nil {
		return err
	}
	return im.Close()
}

func openSized(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// checkImage runs our own check, and fsck.gfs2 where there is one: another author's eyes. The error is a *CheckError if one found damage.
func (b *local) checkImage(ctx context.Context, path string) error {
	f, size, err := openSized(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var found strings.Builder
	if err := image.Check(f, size, func(what image.Finding) { fmt.Fprintln(&found, what) }); err != nil {
		return err
	}
	if found.Len() > 0 {
		return &CheckError{Spec: b.spec, Command: "faultline fs check", Code: 1, Output: found.String()}
	}
	gfs2, err := findFSType(b.spec, "gfs2")
	if err != nil {
		return err
	}
	if _, err := findTool(gfs2.fsck[0]); err != nil {
		return nil // not needed, and the doctor says so
	}
	return gfs2.check(ctx, b.spec, path)
}
