// Package pid1 is the first process of a guest: our own binary, started by the kernel from an initramfs. It makes the machine fit to work on (modules,
// /proc, /sys, /dev, limits of the kernel's own watchdogs), tells the host over the channel that it is there, mounts what the host orders, and then
// starts the agent with the channel as descriptor 3. It reaps orphans, and turns the machine off when the agent ends, which it does when
// the host closes the channel. It imports harness/guest/initramfs and harness/self.
//
// The channel carries one line of JSON each way before it belongs to the agent: [Hello] from the guest, [Order] from the host, [Ready] from
// the guest.
//
//	hello, err := pid1.Receive[pid1.Hello](channel)
//	err = pid1.Send(channel, pid1.Order{Mounts: []pid1.Mount{{Source: "/dev/ubda", Point: "/fs", Type: "ext4"}}})
//	ready, err := pid1.Receive[pid1.Ready](channel)
package pid1
