package session

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

const device = "/dev/fuse"

// attach mounts on dir and returns the descriptor of the connection.
func attach(dir string, o *fuse.MountOptions) (*os.File, error) {
	file, err := attachByKernel(dir, o)
	if err == nil || !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) {
		return file, err
	}
	return attachByHelper(dir, o)
}

// attachByKernel mounts as root does. What options name are mount flags, or options of the kernel's (fs/fuse/inode.c, fuse_fs_parameters).
func attachByKernel(dir string, o *fuse.MountOptions) (*os.File, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	// Not os.OpenFile: Go's poller would ask of every request whether it is there.
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: device, Err: err}
	}
	options := []string{fmt.Sprintf("fd=%d,rootmode=%o,user_id=%d,group_id=%d", fd, st.Mode&unix.S_IFMT, os.Geteuid(), os.Getegid())}
	options = append(options, common(o)...)
	err = unix.Mount(o.FsName, dir, "fuse."+o.Name, o.DirectMountFlags, strings.Join(options, ","))
	if err != nil {
		return nil, errors.Join(&os.PathError{Op: "mount", Path: dir, Err: err}, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), device), nil
}

// common are the options that the kernel and fusermount3 call the same.
func common(o *fuse.MountOptions) []string {
	options := append([]string{fmt.Sprintf("max_read=%d", o.MaxWrite)}, o.Options...)
	if o.AllowOther {
		options = append(options, "allow_other")
	}
	return options
}

// escape makes a word out of what stands for itself (libfuse, fuse_opt_add_opt_escaped).
var escape = strings.NewReplacer(`\`, `\\`, `,`, `\,`)

// attachByHelper has fusermount3 mount, which is allowed to. It opens the device and sends the descriptor (fusermount3(1)).
func attachByHelper(dir string, o *fuse.MountOptions) (*os.File, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair for fusermount3: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	options := append(common(o), "fsname="+escape.Replace(o.FsName), "subtype="+escape.Replace(o.Name))
	if o.DirectMountFlags&unix.MS_RDONLY != 0 {
		options = append(options, "ro")
	}
	command := exec.Command("fusermount3", "-o", strings.Join(options, ","), "--", dir)
	command.Env = append(os.Environ(), "_FUSE_COMMFD=3")
	command.ExtraFiles = []*os.File{theirs}
	var said bytes.Buffer
	command.Stderr = &said
	err = command.Run()
	theirs.Close()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", command, err, bytes.TrimSpace(said.Bytes()))
	}
	fd, err := received(pair[0])
	if err != nil {
		return nil, fmt.Errorf("take the descriptor of %s from fusermount3: %w", dir, err)
	}
	return os.NewFile(uintptr(fd), device), nil
}

// received is the descriptor that comes through a socket.
func received(socket int) (int, error) {
	control := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 1), control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return 0, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil {
		return 0, err
	}
	for _, m := range messages {
		if fds, err := unix.ParseUnixRights(&m); err == nil && len(fds) == 1 {
			return fds[0], nil
		}
	}
	return 0, errors.New("there is none in its message")
}

// unmount unmounts what nobody uses, as root or with fusermount3.
func unmount(dir string) error {
	err := unix.Unmount(dir, unix.UMOUNT_NOFOLLOW)
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	command := exec.Command("fusermount3", "-u", "--", dir)
	out, err := command.CombinedOutput()
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: %s", command, err, bytes.TrimSpace(out))
}
