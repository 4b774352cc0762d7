// Package wire is what a host and the agent in a guest say to each other: frames on a channel of bytes, over which calls, streams and news run
// side by side. A Link survives anything that can happen to its channel: it ends, with a reason, and everything that waits for it
// comes back. It imports harness/machine, harness/watch and harness/worker for the values it carries, and the standard library.
//
// A frame is a length, a kind, an id, a checksum and a body; see [Frame]. The agent speaks first, with a hello. Both sides beat once a
// second; one that hears nothing for long enough takes the other for dead. Nobody who sends is ever kept waiting by the channel, except
// the writer of a stream, which has a window like that of TCP: so that a stream which nobody reads blocks nobody but itself.
//
//	link := wire.NewLink(channel, wire.Peer{Silence: 10, Handle: func(f wire.Frame) { ... }})
//	err := link.Send(wire.Frame{Kind: wire.Call, ID: 1, Body: body})
//	<-link.Done()
//	why := link.Err()
package wire
