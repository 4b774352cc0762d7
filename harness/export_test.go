package harness

import (
	"context"
	"testing"

	"faultline/generators/prog"
	"faultline/harness/target"
)

func openDir(dir string) Opener {
	return func(ctx context.Context) (target.Target, error) {
		return target.Open(ctx, "dir:"+dir, target.Options{})
	}
}

// plain is a program that passes everywhere.
func plain(t *testing.T) *prog.Prog {
	t.Helper()
	p, err := prog.Parse("prog proof/plain\nfile A = 'a'*1p\ncheck(A, 'a'*1p)\n")
	if err != nil {
		t.Fatal(err)
	}
	return p
}
