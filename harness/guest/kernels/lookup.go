package kernels

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Lookup finds the kernel that a target names, of the kind that it starts: the name of one in the store (uml-6.1, mine), that name without its uml- or
// deb- in front (6.1, 6.1.0-50-amd64), a series, of which the newest in the store is taken, or a path: a built tree or the kernel in one. What a
// path names is copied into the store as it is now, when it has changed since the last time.
func (s *Store) Lookup(ctx context.Context, kind Kind, word string) (Kernel, error) {
	if strings.ContainsRune(word, filepath.Separator) {
		return s.lookupPath(ctx, kind, word)
	}
	all, err := s.List()
	if err != nil {
		return Kernel{}, err
	}
	prefix := map[Kind]string{UML: umlPrefix, BzImage: debPrefix}[kind]
	for _, name := range []string{word, prefix + word} {
		if i := slices.IndexFunc(all, func(k Kernel) bool { return k.Name == name }); i >= 0 {
			return all[i], all[i].usable(kind)
		}
	}
	series := strings.TrimPrefix(word, prefix)
	for _, k := range slices.Backward(all) {
		if k.Kind == kind && series != "" && inSeries(k.Release, series) && !strings.HasPrefix(k.Name, treePrefix) {
			return k, k.usable(kind)
		}
	}
	name := prefix + series
	if _, err := planOf(name); err == nil {
		return Kernel{}, fmt.Errorf("kernel %s is not here yet: faultline kernel fetch %s", word, name)
	}
	return Kernel{}, s.unknown(word)
}

// usable complains when the kernel is of another kind, or was moved.
func (k Kernel) usable(kind Kind) error {
	if k.Kind != kind {
		return fmt.Errorf("kernel %s is of kind %s, wanted %s", k.Name, k.Kind, kind)
	}
	if k.Home != "" && k.Home != filepath.Dir(k.Linux) {
		return fmt.Errorf("kernel %s was moved here from %s: remove it and fetch it again", k.Name, k.Home)
	}
	return nil
}

// treePrefix begins the names of kernels that were looked up by path.
const treePrefix = "tree-"

func (s *Store) lookupPath(ctx context.Context, kind Kind, path string) (Kernel, error) {
	b, err := findBuild(path, "")
	if err != nil {
		return Kernel{}, err
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return Kernel{}, err
	}
	defer unlock()
	source, err := b.fingerprint()
	if err != nil {
		return Kernel{}, err
	}
	sum := sha256.Sum256([]byte(b.linux))
	name := treePrefix + hex.EncodeToString(sum[:6])
	k, ok := s.get(name)
	if !ok || k.Source != source {
		if k, err = s.copyIn(ctx, name, b); err != nil {
			return Kernel{}, err
		}
	}
	return k, k.usable(kind)
}
