package sequence

// flavour says how likely each operation is.
type flavour struct {
	name, doc string
	// direct is n when one of n descriptors is for direct I/O, 0 when none is.
	direct  int
	choices []choice
}

// choice is an operation with its weight. The operation reports whether it found something to work on.
type choice struct {
	weight int
	op     func(*state) bool
}

// everywhere are the operations that every flavour has a little of.
var everywhere = []choice{
	{6, (*state).readOrWrite}, {2, (*state).vector}, {2, (*state).load}, {4, (*state).store},
	{4, (*state).checkMemory}, {3, (*state).checkFile}, {3, (*state).advise}, {1, (*state).msync}, {3, (*state).sync},
	{2, (*state).resize}, {1, (*state).mmap}, {1, (*state).munmap}, {1, (*state).open}, {1, (*state).closeOne}, {1, (*state).stat},
}

var flavourList = []*flavour{
	{name: "buffered", doc: "buffered transfers", choices: with(choice{20, (*state).readOrWrite})},
	{name: "direct", doc: "direct transfers", direct: 1, choices: with(choice{20, (*state).readOrWrite}, choice{4, (*state).vector})},
	{name: "mixed", doc: "buffered and direct transfers", direct: 2, choices: with(choice{14, (*state).readOrWrite}, choice{6, (*state).vector}, choice{1, (*state).allocate})},
	{name: "vector", doc: "transfers with vectors", direct: 4, choices: with(choice{24, (*state).vector})},
	{name: "remap", doc: "mappings that come, change and go", direct: 4, choices: with(choice{5, (*state).mmap}, choice{4, (*state).munmap},
		choice{3, (*state).mremap}, choice{3, (*state).mprotect}, choice{6, (*state).advise}, choice{6, (*state).store})},
	{name: "falloc", doc: "space allocated, zeroed and punched", direct: 4, choices: with(choice{14, (*state).allocate},
		choice{2, (*state).seekData}, choice{4, (*state).resize})},
	{name: "shift", doc: "pages inserted and cut out", direct: 4, choices: with(choice{10, (*state).shift}, choice{4, (*state).allocate})},
	{name: "names", doc: "files linked, renamed, removed and made", direct: 4, choices: with(choice{3, (*state).link}, choice{4, (*state).unlink},
		choice{4, (*state).rename}, choice{3, (*state).create}, choice{2, (*state).resizeByName}, choice{3, (*state).open}, choice{3, (*state).mmap})},
}

func with(more ...choice) []choice { return append(append([]choice{}, everywhere...), more...) }

var flavours = func() map[string]*flavour {
	byName := map[string]*flavour{}
	for _, f := range flavourList {
		byName[f.name] = f
	}
	return byName
}()

func flavourNames() []string {
	var names []string
	for _, f := range flavourList {
		names = append(names, f.name)
	}
	return names
}
