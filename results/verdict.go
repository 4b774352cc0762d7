package results

// Verdict is the judgement of one case.
type Verdict string

const (
	// Pass: every step did what the case allows, and the checks afterwards were clean.
	Pass Verdict = "pass"
	// Wrong: a call returned what it may not return, or data, metadata or the file system's own check are wrong.
	Wrong Verdict = "wrong"
	// Hang: a step never came back, and samples proved that it is blocked or spins without progress.
	Hang Verdict = "hang"
	// Crash: the kernel or the server of the target died, or the kernel reported a fault of its own.
	Crash Verdict = "crash"
	// Skip: the case does not apply here; Case.Message always says why.
	Skip Verdict = "skip"
	// Broken: our own fault or that of the infrastructure. Running out of time while still making progress is broken too.
	Broken Verdict = "broken"
)

// Verdicts lists all verdicts in the order in which tables show them.
var Verdicts = []Verdict{Pass, Wrong, Hang, Crash, Skip, Broken}

// Bad reports whether the verdict accuses the product under test: wrong, hang or crash.
func (v Verdict) Bad() bool {
	return v == Wrong || v == Hang || v == Crash
}

// Valid reports whether v is one of Verdicts.
func (v Verdict) Valid() bool {
	switch v {
	case Pass, Wrong, Hang, Crash, Skip, Broken:
		return true
	}
	return false
}

// Kind is the reason of a verdict in one dotted word. JUnit shows it as the type of the failure or error, so that a CI
// system can group by it.
type Kind string

const (
	// KernelHang: a task is blocked for good or spins in the kernel; stacks prove it.
	KernelHang Kind = "kernel.hang"
	// KernelPanic: the kernel of the target stopped.
	KernelPanic Kind = "kernel.panic"
	// KernelOops: the kernel reported a BUG, an oops or a sanitizer finding.
	KernelOops Kind = "kernel.oops"
	// KernelWarn: the kernel reported a WARN.
	KernelWarn Kind = "kernel.warn"
	// KernelLockdep: the kernel's lock validator complained.
	KernelLockdep Kind = "kernel.lockdep"
	// TargetDied: the server of the target (a FUSE daemon, say) ended or lost its connection.
	TargetDied Kind = "target.died"

	// DataCorruption: bytes in a file, a mapping or a buffer are not what they must be.
	DataCorruption Kind = "data.corruption"
	// Semantics: a wrong errno, a short or long result, a broken guarantee.
	Semantics Kind = "semantics"
	// Fsck: the file system's checker found damage.
	Fsck Kind = "fsck"
	// KnownUnexpectedPass: a case listed as a known failure passed, and the list is strict.
	KnownUnexpectedPass Kind = "known.unexpected-pass"

	// TimeoutSlow: time ran out while the case was still making progress.
	TimeoutSlow Kind = "timeout.slow"
	// InfraBoot: a guest did not boot, or a target could not be mounted.
	InfraBoot Kind = "infra.boot"
	// InfraWorkerLost: the worker ended or went silent for a reason that is not the target's.
	InfraWorkerLost Kind = "infra.worker-lost"
	// InfraTargetLost: the target became unusable before the case could be judged.
	InfraTargetLost Kind = "infra.target-lost"
	// InfraHarness: a mistake of the harness itself.
	InfraHarness Kind = "infra.harness"
	// InfraIncomplete: planned cases have no verdict, or the run is not finished.
	InfraIncomplete Kind = "infra.incomplete"
)

// defaultKind is what a case without a Kind is reported as.
var defaultKind = map[Verdict]Kind{
	Wrong:  Semantics,
	Hang:   KernelHang,
	Crash:  TargetDied,
	Broken: InfraHarness,
}
