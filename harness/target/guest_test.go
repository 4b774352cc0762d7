package target

import (
	"errors"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/guest"
	"faultline/harness/guest/pid1"
)

func TestGuestSpecsHaveOneForm(t *testing.T) {
	for given, canonical := range map[string]string{
		"uml:5.10":                                   "uml:5.10,fs=gfs2",
		"uml:6.1,size=512M,mem=512M,check=end":       "uml:6.1,fs=gfs2",
		"uml:6.1,mem=1024M,fs=xfs,size=1G":           "uml:6.1,fs=xfs,size=1G,mem=1G",
		"uml:6.1,nodes=1,fs=fuse,copy=nofault":       "uml:6.1,fs=fuse",
		"uml:6.1,check=batch=1":                      "uml:6.1,fs=gfs2,check=program",
		"uml:6.1,check=batch=20,fs=xfs":              "uml:6.1,fs=xfs,check=batch=20",
		"uml:6.1,mem=1G,nodes=2,fs=fuse":             "uml:6.1,fs=fuse,nodes=2,mem=1G",
		"uml:6.1,fs=fuse,copy=faulting":              "uml:6.1,fs=fuse,copy=faulting",
		"uml:6.1,fs=overlay":                         "uml:6.1,fs=overlay,on=ext4",
		"uml:6.1,on=xfs,fs=overlay,check=off":        "uml:6.1,fs=overlay,on=xfs,check=off",
		"uml:7.2,mount=noatime,data=journal,fs=ext4": "uml:7.2,fs=ext4,mount=noatime,data=journal",
		"qemu:6.1,kvm=off,mkfs=-b size=1024,fs=xfs":  "qemu:6.1,fs=xfs,mkfs=-b size=1024,kvm=off",
	} {
		t.Run(given, func(t *testing.T) {
			g := gomega.NewWithT(t)
			_, arg, err := findKind(given)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			o, err := parseGuest(given, arg)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(o.spec()).To(gomega.Equal(canonical))
		})
	}
}

func TestWrongGuestSpecsSayWhatIsWrong(t *testing.T) {
	for spec, problem := range map[string]string{
		"uml:":                           "a kernel is missing; faultline kernel list shows those that are here",
		"uml:6.1,fs=gfs":                 `there is no file-system type "gfs"; did you mean "gfs2"; the types are gfs2, ext4, xfs, btrfs, f2fs, exfat, ntfs3, ocfs2, tmpfs, overlay, fuse`,
		"uml:6.1,fs=ext4,on=xfs":         "on= says what is below fs=overlay; ext4 is on a disk of its own",
		"uml:6.1,fs=overlay,on=tmpfs":    "on=tmpfs is not a type for a disk",
		"uml:6.1,fs=xfs,size=64M":        "the size 64M is too small for xfs; it needs at least 300M",
		"uml:6.1,mem=64M":                "mem=64M is too little; a guest needs at least 128M",
		"uml:6.1,check=always":           "check=always is not one of end, program, batch=N, off",
		"uml:6.1,copy=faulting":          "copy= is for fs=fuse, our own server; gfs2 is the kernel's",
		"uml:6.1,fs=xfs,nodes=2":         "nodes= is for fs=fuse, our own server; xfs is the kernel's",
		"uml:6.1,fs=fuse,nodes=0":        "nodes=0 is not a number from 1 to 8",
		"uml:6.1,fs=fuse,copy=never":     `unknown user-copy policy "never"; there are kernel, faulting, recursive, nofault`,
		"uml:6.1,fs=overlay,on=fuse":     "on=fuse is not a type for a disk",
		"uml:6.1,check=batch=0":          "check=batch=0 is not one of end, program, batch=N, off",
		"uml:6.1,fs=tmpfs,check=program": "check=program takes a disk; tmpfs has none",
		"qemu:6.1,kvm=yes":               "kvm=yes is not one of auto, on, off",
		"uml:6.1,kvm=on":                 `there is no option "kvm"; the options are fs, on, size, mkfs, mount, copy, nodes, mem, check`,
	} {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			_, err := Open(t.Context(), spec, Options{Temp: t.TempDir()})
			usage, is := errors.AsType[*UsageError](err)
			g.Expect(is).To(gomega.BeTrue(), "%v", err)
			g.Expect(usage.Problem).To(gomega.Equal(problem))
		})
	}
}

func TestUserModeLinuxIsForAMD64(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, c := range []struct{ spec, arch, lacks string }{
		{"uml:6.1", "arm64", "User Mode Linux runs on amd64 only, and this machine is arm64"}, {"uml:6.1", "amd64", ""}, {"qemu:6.1", "arm64", ""},
	} {
		_, arg, err := findKind(c.spec)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		o, err := parseGuest(c.spec, arg)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		text := ""
		for _, l := range o.lacksMachine(c.arch) {
			text += l.String()
		}
		g.Expect(text).To(gomega.Equal(c.lacks))
	}
}

func TestAKernelThatIsNotHereIsMissing(t *testing.T) {
	g := gomega.NewWithT(t)
	t.Setenv("FAULTLINE_CACHE", t.TempDir())
	_, err := Open(t.Context(), "uml:6.1", Options{Temp: t.TempDir()})
	g.Expect(err).To(gomega.MatchError("uml:6.1,fs=gfs2: kernel 6.1 is not here yet: faultline kernel fetch uml-6.1"))
	_, is := errors.AsType[*Missing](err)
	g.Expect(is).To(gomega.BeTrue())
}

func TestWhatAGuestMounts(t *testing.T) {
	for spec, want := range map[string][]pid1.Mount{
		"uml:6.1,mount=noatime": {{Source: "/dev/ubdb", Point: "/fs", Type: "gfs2", Options: "lockproto=lock_nolock,noatime"}},
		"qemu:6.1,fs=ext4":      {{Source: "/dev/vdb", Point: "/fs", Type: "ext4"}},
		"uml:6.1,fs=tmpfs":      {{Source: "faultline", Point: "/fs", Type: "tmpfs", Options: "size=536870912"}},
		"uml:6.1,fs=fuse":       nil,
		"uml:6.1,fs=overlay,on=gfs2,mount=metacopy=on": {
			{Source: "/dev/ubdb", Point: "/layers", Type: "gfs2", Options: "lockproto=lock_nolock", Make: []string{"lower", "upper", "work"}},
			{Source: "faultline", Point: "/fs", Type: "overlay", Options: "lowerdir=/layers/lower,upperdir=/layers/upper,workdir=/layers/work,metacopy=on"},
		},
	} {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			_, arg, err := findKind(spec)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			o, err := parseGuest(spec, arg)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			other := pid1.Mount{Source: guest.Device(o.kind, 0), Point: "/other", Type: "ext4"}
			g.Expect(o.mounts()).To(gomega.Equal(append([]pid1.Mount{other}, want...)))
		})
	}
}
