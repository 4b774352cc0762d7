// Package guest starts real Linux kernels that may die: User Mode Linux, which is an ordinary process, and QEMU. A Guest boots our own binary from an
// initramfs (packages initramfs, pid1), mounts what it is told, and hands over the channel on which its agent talks. It keeps the console,
// and it never outlives us: a keeper process ends it and removes its files when ours ends, however that happens. It imports harness/self, harness/watch and
// the packages below harness/guest.
//
//	g, err := guest.Start(ctx, guest.Spec{
//		Kernel: kernel, Initrd: "initrd", Memory: 512 << 20,
//		Order: pid1.Order{Agent: "guest-agent"},
//	})
//	defer g.Close()
//	io.Copy(os.Stdout, g.Channel())
package guest
