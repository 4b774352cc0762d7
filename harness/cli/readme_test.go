package cli_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/cli"
	"faultline/harness/self"
)

func init() {
	self.Register("faultline", cli.Main)
}

// elsewhere are README commands that are the tests themselves, or start them.
var elsewhere = map[string]string{
	"make test": "this is it",
}

// Every command in the README's console blocks runs, in the order they stand there, in the project's folder.
func TestReadmeCommands(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := consoleCommands(string(text))
	if len(commands) < 10 {
		t.Fatalf("found %d commands in the README, wanted its console blocks", len(commands))
	}
	bin := faultlineOnPath(t)
	for _, command := range commands {
		t.Run(command, func(t *testing.T) {
			if why := elsewhere[command]; why != "" {
				t.Log(why)
				return
			}
			if strings.Contains(command, "loop:") && os.Getuid() != 0 {
				t.Skip("loop devices need root")
			}
			if strings.Contains(command, "kernel fetch") {
				skipWithoutMirror(t, bin)
			}
			g := gomega.NewWithT(t)
			out := t.TempDir()
			line := command
			if strings.Contains(command, "faultline run") || strings.Contains(command, "go run . run") {
				line += " --results " + out + "/results"
			}
			cmd := exec.Command("sh", "-c", line)
			cmd.Dir = "../.."
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
			cmd.WaitDelay = time.Minute
			said, err := cmd.CombinedOutput()
			g.Expect(err).NotTo(gomega.HaveOccurred(), string(said))
			g.Expect(said).NotTo(gomega.BeEmpty())
		})
	}
}

// The programs that the README prints are those that there are.
func TestReadmePrograms(t *testing.T) {
	g := gomega.NewWithT(t)
	readme, err := os.ReadFile("../../README.md")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	names := regexp.MustCompile(`(?m)^prog (\S+)$`).FindAllStringSubmatch(string(readme), -1)
	shown := 0
	for _, name := range names {
		text, err := exec.Command(faultlineOnPath(t)+"/faultline", "show", name[1]).Output()
		if err != nil {
			continue // made up as the reader goes, or made smaller by a run
		}
		shown++
		g.Expect(string(readme)).To(gomega.ContainSubstring("```\n" + string(text) + "```\n"))
	}
	g.Expect(shown).To(gomega.BeNumerically(">", 0))
}

// skipWithoutMirror skips where no kernel can be fetched: that is tried with one that is fetched once, into the user's cache.
func skipWithoutMirror(t *testing.T, bin string) {
	t.Helper()
	said, err := exec.Command(bin+"/faultline", "kernel", "fetch", "uml-6.1").CombinedOutput()
	for _, why := range []string{"there is no apt-get", "apt has no Debian mirror", "Could not", "Temporary failure", "timed out"} {
		if err != nil && strings.Contains(string(said), why) {
			t.Skip(string(said))
		}
	}
}

// consoleCommands are the lines behind "$ " of the console blocks.
func consoleCommands(readme string) []string {
	var commands []string
	inside := false
	for _, line := range strings.Split(readme, "\n") {
		switch {
		case line == "```console":
			inside = true
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside && strings.HasPrefix(line, "$ "):
			commands = append(commands, strings.TrimPrefix(line, "$ "))
		}
	}
	return commands
}

// faultlineOnPath makes a folder with a command faultline that is this test binary in that role.
func faultlineOnPath(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	role := self.Command("faultline").Env
	script := "#!/bin/sh\n" + role[len(role)-1] + " exec " + exe + " \"$@\"\n"
	if err := os.WriteFile(dir+"/faultline", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}
