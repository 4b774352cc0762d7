// Package session carries FUSE requests between the kernel and a server: it mounts, reads requests from /dev/fuse, has go-fuse decode and dispatch
// them (fuse.ProtocolServer), and writes answers and notifications. It imports connection, of ours.
//
//	s, err := session.Mount(server, "/mnt", &fuse.MountOptions{Name: "gfs2", MaxWrite: 1 << 20})
//	...
//	s.Serve() // until umount(8), or until the connection is aborted
//
// It is there because of who waits for requests. go-fuse keeps more threads waiting in read(2) than the Go scheduler has places, and starts a goroutine
// when the last of them gets a request: a request then costs two or three switches between threads. Here a fixed few wait, and who has read a request
// answers it, so that a request costs one switch there and one back; see watch.go.
package session
