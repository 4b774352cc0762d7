package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"faultline/harness/machine"
)

// Kind is a way to get a file system to test.
type Kind struct {
	Name string
	// Optional says that the name alone is a target: the part behind the colon may be left out, and the colon too.
	Optional bool
	Usage    string   // of a spec: "loop:TYPE[,size=512M][,mkfs=OPTIONS][,mount=OPTIONS]"
	Doc      string   // one line
	Needs    []string // what the machine must have, in words

	open  func(ctx context.Context, b *local, arg string) error
	tries int // how often it is opened when that fails by chance; 0 is once
}

// Kinds lists all kinds of targets. It is the list that help texts, "list targets" and error messages show.
func Kinds() []Kind {
	return []Kind{
		dirKind(),
		fuseKind(),
		loopKind(),
		overlayKind(),
		plantedKind(),
		qemuKind(),
		tmpfsKind(),
		umlKind(),
	}
}

// Open gets the target that spec names. The error is a *UsageError if spec cannot be meant, a *Missing if this machine cannot
// have it, a *Hung if the file system does not answer; when it fails, or ctx ends meanwhile, everything is put back.
func Open(ctx context.Context, spec string, opts Options) (Target, error) {
	kind, arg, err := findKind(spec)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		b, err := openOnce(ctx, kind, arg, spec, opts)
		switch {
		case err == nil:
			return b, nil
		case ctx.Err() != nil || !worthAnother(err):
			return nil, err
		case try >= kind.tries:
			return nil, fmt.Errorf("%w (tried %d times)", err, try)
		}
		opts.tell(err)
	}
}

// openOnce opens a target, or puts everything back.
func openOnce(ctx context.Context, kind Kind, arg, spec string, opts Options) (*local, error) {
	b, err := newLocal(spec, opts)
	if err != nil {
		return nil, fmt.Errorf("open target %s: %w", spec, err)
	}
	if err = kind.open(ctx, b, arg); err == nil {
		err = b.chooseStalls(ctx)
	}
	if err != nil {
		err = b.explainOpen(err)
		if undoErr := b.Close(context.WithoutCancel(ctx)); undoErr != nil {
			err = fmt.Errorf("%w; and it could not be put back: %w", err, undoErr)
		}
		return nil, err
	}
	return b, nil
}

// explainOpen says what was being opened, if the error does not say so itself.
func (b *local) explainOpen(err error) error {
	var usage *UsageError
	var missing *Missing
	if errors.As(err, &usage) || errors.As(err, &missing) {
		return err
	}
	b.noteHang(err)
	return fmt.Errorf("open target %s: %w", b.spec, err)
}

// findKind splits a spec. A path is short for dir:PATH.
func findKind(spec string) (Kind, string, error) {
	name, arg, found := strings.Cut(spec, ":")
	if filepath.IsAbs(spec) || strings.HasPrefix(spec, "./") || strings.HasPrefix(spec, "../") || spec == "." || spec == ".." {
		name, arg, found = "dir", spec, true
	}
	var names []string
	for _, k := range Kinds() {
		if k.Name == name && (found || k.Optional) {
			return k, arg, nil
		}
		if k.Name == name {
			return Kind{}, "", &UsageError{spec, "a colon is missing: " + k.Usage}
		}
		names = append(names, k.Name)
	}
	problem := fmt.Sprintf("there is no kind %q", name)
	if near := nearest(name, names); near != "" {
		problem += fmt.Sprintf("; did you mean %q", near+":"+arg)
	}
	if info, err := os.Stat(spec); err == nil && info.IsDir() {
		problem += fmt.Sprintf("; the folder is %q", "./"+spec)
	}
	return Kind{}, "", &UsageError{spec, problem + "; the kinds are " + strings.Join(names, ", ")}
}

// nearest is the word that a typing mistake was probably meant to be: at most two letters off, and not most of the word.
func nearest(word string, words []string) string {
	best, bestDistance := "", 3
	for _, w := range words {
		if d := distance(word, w); d < bestDistance && d < len(w) {
			best, bestDistance = w, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete or replace to make a from b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// splitOptions splits "first,key=value,key=value". A comma begins a new option only before one of the keys and "=", so that values
// may hold commas, as the options of mount(8) do.
func splitOptions(spec, arg string, keys ...string) (first string, values map[string]string, err error) {
	values = map[string]string{}
	last := ""
	for i, part := range strings.Split(arg, ",") {
		key, value, isOption := strings.Cut(part, "=")
		switch {
		case isOption && slices.Contains(keys, key):
			if _, twice := values[key]; twice {
				return "", nil, &UsageError{spec, fmt.Sprintf("the option %q is given twice", key)}
			}
			values[key], last = value, key
		case last != "":
			values[last] += "," + part
		case i == 0:
			first = part
		default:
			return "", nil, &UsageError{spec, fmt.Sprintf("there is no option %q; the options are %s", key, strings.Join(keys, ", "))}
		}
	}
	return first, values, nil
}

// newLocal prepares a target of the kinds here; nothing is made yet.
func newLocal(spec string, opts Options) (*local, error) {
	anywhere := opts.Temp == "" && os.Getenv("TMPDIR") == ""
	if opts.Temp == "" {
		opts.Temp = os.TempDir()
	}
	if opts.StallWith == "" {
		opts.StallWith = os.Getenv(StallWithEnv)
	}
	if !slices.Contains(stallWays, opts.StallWith) {
		return nil, &UsageError{spec, fmt.Sprintf("there is no way to stall with %q, only with %s and %s", opts.StallWith, WithUserfaultfd, WithFUSE)}
	}
	if opts.Patience == 0 {
		opts.Patience = defaultPatience
	}
	self, err := us()
	if err != nil {
		return nil, err
	}
	b := &local{spec: spec, opts: opts, anywhere: anywhere, owner: self, lacks: map[string]string{}}
	b.liveOn(machine.Local{})
	return b, nil
}
