// Package remote is a machine at the other end of a channel: a guest in which package agent runs. It imports harness/machine with wire,
// harness/watch, harness/worker and the standard library.
//
// All that a Runner asks often is told without being asked and answered from what was told last: what workers do, the kernel log. The
// rest are calls with deadlines. When the channel ends or the guest falls silent, everything that waits comes back, and [Machine.Death] says why.
//
// Times of the guest are translated to ours, by the beat that was the shortest time under way; differences between two of them are the
// guest's own, which is what verdicts rest on.
//
//	m, err := remote.Dial(g.Channel(), remote.Options{Exited: g.Exited(), How: g.How, Console: text})
//	defer m.Close()
//	w, err := m.StartWorker(worker.Config{Dir: "/fs/work"})
package remote
