package harness_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/generators/model"
	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/self"
	"faultline/harness/target"
	"faultline/results"
)

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

func open(t *testing.T, spec string) harness.Opener {
	return func(ctx context.Context) (target.Target, error) { return target.Open(ctx, spec, target.Options{}) }
}

func runner(t *testing.T, spec string, o harness.Options) *harness.Runner {
	t.Helper()
	r, err := harness.NewRunner(t.Context(), open(t, spec), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Log(err)
		}
	})
	return r
}

// derived is a program from its text, with the model's expectations.
func derived(t *testing.T, text string) *prog.Prog {
	t.Helper()
	p, err := prog.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := model.Derive(p, int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	return p
}

const selfRead = `prog test/self-read
file A = hole*1p + 'b'*1p
d = open(A, rdwr)
m = mmap(d, shared, rw, 0, 2p)
pread(d, m[0:1p], 1p)
check(m)
check(A)
`

func TestPass(t *testing.T) {
	g := gomega.NewWithT(t)
	r := runner(t, "dir:"+t.TempDir(), harness.Options{})
	o := r.Run(t.Context(), derived(t, selfRead))
	g.Expect(o.Verdict).To(gomega.Equal(results.Pass), o.Message)
}

func TestBlockedRead(t *testing.T) {
	g := gomega.NewWithT(t)
	r := runner(t, "planted:block-read", harness.Options{Deadline: time.Second})
	o := r.Run(t.Context(), derived(t, selfRead))
	g.Expect(o.Verdict).To(gomega.Equal(results.Hang), o.Message)
	t.Log(o.Message, o.Signature, o.Step, o.Attempts)
	for _, e := range o.Evidence {
		t.Log(e.Name, e.Text)
	}
}
