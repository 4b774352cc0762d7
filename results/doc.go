// Package results says what came out of a run and writes it down so that nothing is lost: the verdicts, the journal (JSON
// lines, the truth), JUnit for CI systems, the text for the terminal and one folder per failure.
//
// It knows nothing of programs, file systems or workers, and imports the standard library and golang.org/x/sys only.
//
// A run announces a case before it touches the target, and records the verdict afterwards:
//
//	j, err := results.Create("run/journal.jsonl", header)
//	x, err := results.NewJUnit("run/junit.xml", results.JUnitOptions{Header: header, Class: "gfs2.nofault.fuse"})
//	id := results.ID{Suite: "selfio", Class: "gfs2.nofault.fuse", Name: "selfio/pread/direct/private"}
//	err = j.Start(id) // durable when it returns
//	x.Start(id)
//	c := results.Case{ID: id, Verdict: results.Pass}
//	err = j.End(c)
//	err = x.Add(c)
//	err = x.Finish(results.Missing{})
//	err = j.Finish(totals)
package results
