package model

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
)

// The naive model's structs are bytes like all others: descriptors are numbers, areas have addresses, and a call reads its argument out of memory,
// wherever the bytes there have come from.

// numbered gives descriptors and areas numbers, in the order in which they are first asked for.
func (n *naive) numbered(key string) int {
	at := slices.Index(*n.numbers, key)
	if at < 0 {
		at = len(*n.numbers)
		*n.numbers = append(*n.numbers, key)
	}
	return at + 1
}

// of is the descriptor or the area that has a number.
func (n *naive) of(number int) string {
	if number < 1 || number > len(*n.numbers) {
		return ""
	}
	return (*n.numbers)[number-1]
}

// areaShift is the distance of areas: their addresses are their numbers times that.
const areaShift = 20

// structBytes are those of a struct as a step puts it.
func (n *naive) structBytes(s *prog.Step, v prog.Value) []byte {
	record := prog.Structs[v.Struct]
	all := make([]byte, record.Size)
	for _, f := range v.Fields {
		number := uint64(f.Lo.In(int64(n.page)))
		switch of := f.Of.(type) {
		case prog.Name:
			number = uint64(n.numbered(string(of)))
		case prog.Buf:
			number = uint64(n.numbered(of.Ranges[0].Of))<<areaShift + uint64(of.Ranges[0].From.In(int64(n.page)))
		}
		putField(all, record.Field(f.Name), int64(number))
	}
	return all
}

func putField(all []byte, f *prog.Field, n int64) {
	var number [8]byte
	binary.LittleEndian.PutUint64(number[:], uint64(n))
	copy(all[f.At:f.At+f.Width], number[:])
}

func getField(all []byte, f *prog.Field) int64 {
	var number [8]byte
	part := all[f.At : f.At+f.Width]
	if f.Kind == prog.KindSize && f.Width > 2 && part[f.Width-1]&0x80 != 0 {
		number = [8]byte{255, 255, 255, 255, 255, 255, 255, 255}
	}
	copy(number[:], part)
	return int64(binary.LittleEndian.Uint64(number[:]))
}

// fetch reads memory, or says that it cannot be read.
func (n *naive) fetch(s *prog.Step, spots []spot) (all []byte, ok bool) {
	for _, b := range spots {
		v, signal := n.get(process(s), b)
		if signal != "" {
			return nil, false
		}
		all = append(all, v)
	}
	return all, true
}

// deposit writes memory up to the first byte that cannot be written.
func (n *naive) deposit(s *prog.Step, spots []spot, all []byte) (ok bool) {
	for i, b := range spots[:len(all)] {
		if n.set(process(s), b, all[i]) != "" {
			return false
		}
	}
	return true
}

// noise are bytes that nobody knows.
func (n *naive) noise(count int) []byte {
	all := make([]byte, count)
	for i := range all {
		all[i] = byte(n.dice.IntN(256))
	}
	return all
}

// entry performs the steps on structs and those that take them.
func (n *naive) entry(f *frame) {
	switch s := f.s; s.Op {
	case "put":
		for i, v := range n.structBytes(s, s.Args[1].(prog.Value)) {
			if signal := n.set(process(s), f.spots[i], v); signal != "" {
				f.end(i, signal)
				return
			}
		}
		f.end(len(f.spots), "")
	case "look":
		for _, b := range f.spots {
			v, signal := n.get(process(s), b)
			if signal != "" {
				f.end(0, signal)
				return
			}
			f.bytes = append(f.bytes, v)
		}
	case "ioctl":
		n.ioctl(f)
	case "copy_file_range":
		n.copyRange(f)
	case "sendfile":
		n.sendfile(f)
	}
}

// misread says what is wrong with the fields of a struct that was looked at.
func misread(f *frame, page int64) string {
	v := f.s.Args[1].(prog.Value)
	for _, want := range v.Fields {
		got := getField(f.bytes, prog.Structs[v.Struct].Field(want.Name))
		if got < want.Lo.In(page) || got > want.Hi.In(page) {
			return fmt.Sprintf("%s is %d, wanted %v to %v", want.Name, got, want.Lo, want.Hi)
		}
	}
	return ""
}

// ask is a request under way in the naive model.
type ask struct {
	*naive
	f    *frame
	row  *prog.Request
	args []byte
}

func (a *ask) num(name string) int64 { return getField(a.args, prog.Structs[a.row.Struct].Field(name)) }

func (a *ask) answer(name string, v int64) {
	putField(a.args, prog.Structs[a.row.Struct].Field(name), v)
}

// fd is the descriptor whose number a field holds.
func (a *ask) fd(name string) *naiveFD {
	return a.scope(process(a.f.s)).fds[a.of(int(a.num(name)))]
}

// ioctl reads the argument, does what is asked for, and writes the answer.
func (n *naive) ioctl(f *frame) {
	row := prog.Requests[f.s.Args[1].(prog.Words)[0]]
	args, ok := n.fetch(f.s, f.spots[:row.In])
	if !ok {
		f.end(0, "EFAULT")
		return
	}
	a := &ask{n, f, row, append(args, make([]byte, max(0, row.Out-row.In))...)}
	if errno := naiveRequests[row.Name](a); errno != "" {
		f.end(0, errno)
		return
	}
	if n.bug == "answer" && row.Out > 0 {
		a.args[int(row.Out)-1] ^= 0x55
		a.args[0] ^= 0x55
	}
	if !n.deposit(f.s, f.spots, a.args[:row.Out]) {
		f.end(0, "EFAULT")
	}
}

var naiveRequests = map[string]func(*ask) string{
	"getflags": func(a *ask) string { a.answer("flags", int64(a.f.file+100)); return "" },
	"setflags": func(a *ask) string { return a.unless(a.num("flags") == int64(a.f.file+100)) },
	"fsgetxattr": func(a *ask) string {
		a.answer("fsx_xflags", int64(a.f.file+200))
		return ""
	},
	"fssetxattr": func(a *ask) string { return a.unless(a.num("fsx_xflags") == int64(a.f.file+200)) },
	"clonerange": (*ask).clone,
	"dedupe":     func(a *ask) string { return a.dedupe("") },
	"dedupe_two": func(a *ask) string { return a.dedupe("") + a.dedupe("_2") }, // neither fails
	"ext4_move_ext": func(a *ask) string {
		if a.chance(3) {
			return "EBUSY"
		}
		donor := a.files[a.fd("donor_fd").file]
		copy(donor.data, a.noise(min(a.page, donor.size)))
		a.answer("moved_len", 1)
		return ""
	},
	"xfs_exchange": (*ask).exchange,
	"f2fs_move": func(a *ask) string {
		src, dst, n := a.files[a.f.file], a.files[a.fd("dst_fd").file], int(a.num("len"))
		from := int(a.num("pos_in"))
		a.put(dst, int(a.num("pos_out")), slices.Clone(src.data[from:from+n]))
		if a.chance(2) {
			clear(src.data[from : from+n])
		}
		return ""
	},
	"resvsp":     func(*ask) string { return "" },
	"unresvsp":   (*ask).blank,
	"zero_range": (*ask).blank,
	"fitrim":     func(a *ask) string { a.answer("len", int64(a.dice.IntN(1000))); return "" },
	"getfsmap": func(a *ask) string {
		count := int(a.num("fmh_count"))
		found := 1 + a.dice.IntN(count)
		a.answer("fmh_entries", int64(found))
		return a.fault(a.deposit(a.f.s, a.f.spots[192:], a.noise(64*found)))
	},
	"btrfs_logical_ino": func(a *ask) string {
		if a.chance(4) {
			return "ENOENT"
		}
		return a.fault(a.depositAt(a.num("inodes"), a.noise(int(a.num("size")))))
	},
}

// unless refuses what a request must not have been given.
func (a *ask) unless(right bool) string {
	if right {
		return ""
	}
	return "EINVAL"
}

func (a *ask) fault(ok bool) string {
	if ok {
		return ""
	}
	return "EFAULT"
}

// depositAt writes bytes to an address.
func (a *ask) depositAt(address int64, all []byte) bool {
	name, at := a.of(int(address>>areaShift)), int(address&(1<<areaShift-1))
	for i := range all {
		if a.set(process(a.f.s), spot{name, at + i}, all[i]) != "" {
			return false
		}
	}
	return true
}

func (a *ask) clone() string {
	src, from, to := a.fd("src_fd"), int(a.num("src_offset")), int(a.num("dest_offset"))
	moved := slices.Clone(a.files[src.file].data[from : from+int(a.num("src_length"))])
	if a.bug == "clone" {
		moved[0]++
	}
	a.put(a.files[a.f.file], to, moved)
	return ""
}

// blank zeroes what is within the file.
func (a *ask) blank() string {
	file, from := a.files[a.f.file], int(a.num("l_start"))
	if to := min(from+int(a.num("l_len")), file.size); from < to {
		clear(file.data[from:to])
	}
	return ""
}

func (a *ask) exchange() string {
	one, two, n := a.files[a.fd("file1_fd").file], a.files[a.f.file], int(a.num("length"))
	first, second := one.data[a.num("file1_offset"):][:n], two.data[a.num("file2_offset"):][:n]
	kept := slices.Clone(first)
	copy(first, second)
	if a.bug != "exchange" {
		copy(second, kept)
	}
	return ""
}

func (a *ask) dedupe(entry string) string {
	n, from, to := int(a.num("src_length")), int(a.num("src_offset")), int(a.num("dest_offset"+entry))
	same := slices.Equal(a.files[a.f.file].data[from:from+n], a.files[a.fd("dest_fd"+entry).file].data[to:to+n])
	if a.bug == "dedupe" {
		same = !same
	}
	if same {
		a.answer("bytes_deduped"+entry, int64(a.upTo(n)))
	} else {
		a.answer("status"+entry, 1)
	}
	return ""
}

// copied moves bytes between files: some of them at least, if there are any.
func (n *naive) copied(src, dst *naiveFile, from, to, length int) int {
	length = max(0, min(length, src.size-from))
	if length == 0 {
		return 0
	}
	length = 1 + n.upTo(length-1)
	n.put(dst, to, slices.Clone(src.data[from:from+length]))
	return length
}

func (n *naive) copyRange(f *frame) {
	offsets := make([]int, 2)
	for i := range offsets {
		all, ok := n.fetch(f.s, f.spots[8*i:8*i+8])
		if !ok {
			f.end(0, "EFAULT")
			return
		}
		offsets[i] = int(binary.LittleEndian.Uint64(all))
	}
	dst := n.scope(process(f.s)).fds[string(f.s.Args[2].(prog.Name))]
	done := n.copied(n.files[f.file], n.files[dst.file], offsets[0], offsets[1], int(f.s.Args[4].(prog.Size).In(int64(n.page))))
	f.end(done, "")
	for i := range offsets {
		if done > 0 && !n.deposit(f.s, f.spots[8*i:8*i+8], binary.LittleEndian.AppendUint64(nil, uint64(offsets[i]+done))) {
			f.end(0, "EFAULT")
		}
	}
}

func (n *naive) sendfile(f *frame) {
	all, ok := n.fetch(f.s, f.spots[:8])
	if !ok {
		f.end(0, "EFAULT")
		return
	}
	from := int(binary.LittleEndian.Uint64(all))
	src := n.scope(process(f.s)).fds[string(f.s.Args[1].(prog.Name))]
	done := n.copied(n.files[src.file], n.files[f.file], from, f.fd.pos, int(f.s.Args[3].(prog.Size).In(int64(n.page))))
	f.fd.pos += done
	f.end(done, "")
	if done > 0 && !n.deposit(f.s, f.spots[:8], binary.LittleEndian.AppendUint64(nil, uint64(from+done))) {
		f.end(0, "EFAULT")
	}
}

// structured writes random programs whose structs lie in memory of all kinds, and take detours through files.
type structured struct{ *sequences }

// room is where a struct of some bytes may lie.
func (r structured) room(bytes int) string {
	name := r.pick("b", "b", "v", "m", "w")
	at := r.IntN(max(1, r.areas[name]*tiny-bytes+4))
	return fmt.Sprintf("%s[%d:%d]!", name, at, at+bytes)
}

// detour moves a struct to another place by way of a file now and then.
func (r structured) detour(at string, bytes int) string {
	if r.IntN(3) > 0 {
		return at
	}
	to, off := r.room(bytes), r.IntN(40)
	r.line("pwrite(e, %s, %d)\npread(e, %s, %d)", at, off, to, off)
	return to
}

// asks are requests with the struct that each is given, the room it needs, and the descriptor.
func (r structured) asks() (fd, request, value string, room int) {
	page := func() int { return r.IntN(3) }
	switch r.IntN(11) {
	case 8:
		return "e", "xfs_exchange", fmt.Sprintf("xfs_exchange{file1_fd=d, file1_offset=%dp, file2_offset=%dp, length=%dp}", page(), r.IntN(2), 1+r.IntN(2)), 40
	case 9:
		return "d", "f2fs_move", fmt.Sprintf("f2fs_move{dst_fd=e, pos_in=%dp, pos_out=%dp, len=1p}", page(), r.IntN(2)), 32
	case 10:
		return "d", r.pick("resvsp", "unresvsp", "zero_range"), fmt.Sprintf("space_resv{l_start=%d, l_len=%d}", r.IntN(40), 1+r.IntN(40)), 48
	case 0:
		return "e", "clonerange", fmt.Sprintf("clone_range{src_fd=d, src_offset=%dp, src_length=%dp, dest_offset=%dp}", page(), 1+page(), page()), 32
	case 1:
		return "d", "dedupe", fmt.Sprintf("dedupe_range{src_offset=%dp, src_length=1p, dest_count=1, dest_fd=e, dest_offset=%dp}", page(), page()), 56
	case 2:
		return "d", "dedupe_two", fmt.Sprintf("dedupe_two{src_length=1p, dest_count=2, dest_fd=e, dest_fd_2=e, dest_offset=%dp, dest_offset_2=%dp}", page(), page()), 88
	case 3:
		return "d", "ext4_move_ext", "move_extent{donor_fd=e, len=1}", 40
	case 4:
		return "d", "fitrim", "fstrim_range{len=-1}", 24
	case 5:
		return "e", "getfsmap", "fsmap_range{fmh_count=2, high_device=-1, high_flags=-1, high_physical=-1, high_owner=-1, high_offset=-1}", 320
	}
	from := r.IntN(200)
	return "d", "btrfs_logical_ino", fmt.Sprintf("btrfs_logical_ino{size=64, inodes=%s[%d:%d]!}", r.pick("b", "m", "v"), from, from+64), 56
}

func (r structured) request() {
	switch r.IntN(6) {
	default:
		fd, request, value, room := r.asks()
		record, _, _ := strings.Cut(value, "{")
		size := int(prog.Structs[record].Size)
		name, at := "b", r.IntN(40)
		if room <= 56 {
			name, at = r.pick("b", "b", "v", "m", "w"), r.IntN(12)
		}
		if room > size {
			r.line("put(b[%d:%d], %s)\nioctl(%s, %s, b[%d:%d])\nlook(b[%d:%d], %s{})", at, at+size, value, fd, request, at, at+room, at, at+size, record)
			return
		}
		where := fmt.Sprintf("%s[%d:%d]!", name, at, at+size)
		r.line("put(%s, %s)", where, value)
		where = r.detour(where, size)
		r.line("ioctl(%s, %s, %s)\nlook(%s, %s{})", fd, request, where, where, record)
	case 3:
		get, set, bytes := "getflags", "setflags", 4
		if r.IntN(2) == 0 {
			get, set, bytes = "fsgetxattr", "fssetxattr", 28
		}
		at := r.room(bytes)
		r.line("ioctl(d, %s, %s)", get, at)
		r.line("ioctl(d, %s, %s)", set, r.detour(at, bytes))
	case 4:
		from, to := r.room(8), r.room(8)
		r.line("put(%s, loff{offset=%d})\nput(%s, loff{offset=%d})", from, r.IntN(50), to, r.IntN(50))
		r.line("copy_file_range(d, %s, e, %s, %d)\nlook(%s, loff{})\nlook(%s, loff{})", from, to, r.IntN(30), from, to)
	case 5:
		at := r.room(8)
		r.line("put(%s, loff{offset=%d})", at, r.IntN(50))
		r.line("lseek(e, %d, set)\nsendfile(e, d, %s, %d)\nlook(%s, loff{})", r.IntN(40), r.detour(at, 8), r.IntN(30), at)
	}
}

// structs is a random program with requests, and with writes between them.
func structs(seed uint64) string {
	r := structured{&sequences{Rand: rand.New(rand.NewPCG(seed, 23)), areas: map[string]int{"b": 24, "w": 5, "v": 4, "m": 4}, order: []string{"b", "v", "m", "w"}, fds: []string{"d", "e"}}}
	r.line("prog structs/%d", seed)
	r.line("file A = pat1*3p + hole*1p\nfile B = pat1*1p + pat2*%dp", 1+r.IntN(3))
	r.line("d = open(A, rdwr)\ne = open(B, rdwr)\nb = anon(hole*24p)\nw = anon(pat3*70, 5)\nv = mmap(d, private, rw, 0, 4p)\nm = mmap(e, shared, rw, 0, 4p)")
	for range 2 + r.IntN(4) {
		r.request()
		if r.IntN(3) == 0 {
			r.line("%s(%s, %s, %v)", r.pick("pread", "pwrite"), r.pick("d", "e"), r.piece(), r.at(4))
		}
	}
	r.line("check(A)\ncheck(B)\ncheck(b)\ncheck(v[0:4p]!)\ncheck(m[0:4p]!)\ncheck(w)")
	return r.text.String()
}

// Structs that have come to where they are by whatever way mean to the model what their bytes mean.
func TestStructsAgainstANaiveModel(t *testing.T) {
	const programs = 3000
	followed, steps := 0, map[string]int{}
	for seed := range uint64(programs) {
		p := derived(t, structs(seed))
		if p == nil {
			continue
		}
		followed++
		for k := range p.Steps {
			if s := &p.Steps[k]; s.Op == "ioctl" {
				steps[s.Args[1].(prog.Words)[0]]++
			} else {
				steps[s.Op]++
			}
		}
		for turn := range uint64(4) {
			if wrong := complaint(p, rand.New(rand.NewPCG(seed, turn)), ""); wrong != "" {
				t.Fatalf("%s\n%s", wrong, p)
			}
		}
	}
	t.Logf("%d of %d programs followed; %v", followed, programs, steps)
	g := gomega.NewWithT(t)
	g.Expect(followed).To(gomega.BeNumerically(">", programs/10))
	for request := range naiveRequests {
		g.Expect(steps[request]).To(gomega.BeNumerically(">", 0), request)
	}
}

// Requests with any of these faults are found out.
func TestPlantedFaultsOfRequests(t *testing.T) {
	for _, bug := range []string{"clone", "dedupe", "answer", "exchange"} {
		t.Run(bug, func(t *testing.T) {
			for seed := range uint64(3000) {
				if p := derived(t, structs(seed)); p != nil {
					if wrong := complaint(p, rand.New(rand.NewPCG(seed, 0)), bug); wrong != "" {
						t.Logf("program %d: %s", seed, wrong)
						return
					}
				}
			}
			t.Fatal("no program shows the fault")
		})
	}
}
