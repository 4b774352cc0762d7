package pid1

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/self"
)

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

func TestTheHandshakeLeavesTheRestToTheAgent(t *testing.T) {
	g := gomega.NewWithT(t)
	var channel bytes.Buffer
	order := Order{Agent: "x", Mounts: []Mount{{Source: "/dev/ubda", Point: "/fs", Type: "ext4", Options: "noatime", Make: []string{"upper"}}}}
	g.Expect(Send(&channel, order)).To(gomega.Succeed())
	channel.WriteString("\x00binary\nand more")
	g.Expect(Receive[Order](&channel)).To(gomega.Equal(order))
	g.Expect(channel.String()).To(gomega.Equal("\x00binary\nand more"))
}

func TestReceiveOfNonsense(t *testing.T) {
	g := gomega.NewWithT(t)
	for text, want := range map[string]string{
		"":                       "read pid1.Hello: EOF",
		"half a line":            "read pid1.Hello: EOF",
		"Kernel panic\n":         `read pid1.Hello from "Kernel panic": invalid character`,
		strings.Repeat("x", 1e6): "read pid1.Hello: the line has no end",
	} {
		_, err := Receive[Hello](strings.NewReader(text))
		g.Expect(err).To(gomega.MatchError(gomega.HavePrefix(want)))
	}
	_, err := Receive[Hello](iotestErr{})
	g.Expect(err).To(gomega.MatchError(unix.EIO))
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, unix.EIO }

var _ io.Reader = iotestErr{}

func TestMountOptions(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, c := range []struct {
		options string
		flags   uintptr
		data    string
	}{
		{"", 0, ""},
		{"noatime,data=journal,ro", unix.MS_NOATIME | unix.MS_RDONLY, "data=journal"},
		{"ro,rw,defaults", 0, ""},
		{"lowerdir=/a,upperdir=/b,nosuid", unix.MS_NOSUID, "lowerdir=/a,upperdir=/b"},
		{"sync,async,lockproto=lock_nolock", 0, "lockproto=lock_nolock"},
	} {
		flags, data := splitOptions(c.options)
		g.Expect(flags).To(gomega.Equal(c.flags), c.options)
		g.Expect(data).To(gomega.Equal(c.data), c.options)
	}
}

func TestTheRoleIsForTheFirstProcessOnly(t *testing.T) {
	g := gomega.NewWithT(t)
	cmd := self.Command(Role)
	out, err := cmd.CombinedOutput()
	g.Expect(err).To(gomega.HaveOccurred())
	g.Expect(string(out)).To(gomega.Equal("faultline: the role guest-init is for the first process of a guest only\n"))
}
