package results

import (
	"fmt"
	"strconv"
	"strings"
)

// What the readers of JUnit can take. Jenkins loads the whole file as a tree; GitLab takes 30 MB per file and 250,000 XML
// objects; libxml2 refuses texts over 10 MB; GitHub shows 65,535 bytes. Full texts are files, JUnit has their beginning.
const (
	maxBody       = 16 << 10 // texts of a case that is not pass, in bytes, its reruns included
	maxRerunBody  = 1 << 10  // text of one rerun
	maxReruns     = 8        // reruns written out; the rate tells of the others
	maxSystemOut  = 2 << 10  // the attachment tags of a case
	maxMessage    = 1 << 10
	maxValue      = 1 << 10 // value of a property
	maxProperties = 64
)

// problem is the kind of element that a case gets in JUnit.
type problem string

const (
	noProblem problem = ""
	failure   problem = "failure" // the product is wrong
	errored   problem = "error"   // we are
	skipped   problem = "skipped"
)

func (v Verdict) problem() problem {
	switch {
	case v == Pass:
		return noProblem
	case v == Skip:
		return skipped
	case v.Bad():
		return failure
	}
	return errored
}

// encodeTestcase is the <testcase> element of c. Journal is named as the place of the full text where a text was cut and
// the case has no attachment.
func encodeTestcase(c Case, journal string) []byte {
	full := journal
	if len(c.Attachments) > 0 {
		full = c.Attachments[0]
	}
	reruns, used := encodeReruns(c, full)
	var inside xmlBuf
	inside.properties("      ", caseProperties(c, full))
	inside.verdict(c, full, maxBody-used)
	inside = append(inside, reruns...)
	inside.systemOut(c.Attachments)

	var b xmlBuf
	b.raw("    <testcase")
	b.attr("name", c.Name)
	b.attr("classname", c.Class)
	b.attrSeconds("time", c.Elapsed)
	b.attrTime("timestamp", c.Start)
	if len(inside) == 0 {
		b.raw("/>\n")
		return b
	}
	b.raw(">\n")
	b = append(b, inside...)
	b.raw("    </testcase>\n")
	return b
}

// verdict appends the failure, error or skipped element, if the verdict asks for one.
func (b *xmlBuf) verdict(c Case, full string, limit int) {
	message := clipLine(c.Headline(), maxMessage)
	if c.Kind == InfraIncomplete {
		message = clipLine(oneLine(c.Message), maxMessage) // about the run, not about a case
	}
	p := c.Verdict.problem()
	switch p {
	case noProblem:
	case skipped:
		b.raw("      <skipped")
		b.attr("message", message)
		b.raw("/>\n")
	default:
		b.raw("      <" + string(p))
		b.attr("type", string(c.kind()))
		b.attr("message", message)
		b.raw(">")
		b.text(problemBody(c, message, full, limit))
		b.raw("</" + string(p) + ">\n")
	}
}

// problemBody repeats the message, because GitLab and ReportPortal ignore the attribute, and ends with the command that
// repeats the case. The detail between them is cut so that the whole has at most limit bytes.
func problemBody(c Case, message, full string, limit int) string {
	head := message + "\n"
	if rate := c.Rate(); rate != "" {
		head += rate + "\n"
	}
	tail := ""
	if c.Repro != "" {
		tail = "\nrepeat: " + clipLine(oneLine(c.Repro), maxMessage) + "\n"
	}
	detail := strings.TrimRight(clean(c.Detail), "\n")
	if detail != "" {
		detail = "\n" + clip(detail, limit-len(head)-len(tail)-len("\n\n"), full) + "\n"
	}
	return head + detail + tail
}

// encodeReruns gives the failed attempts of c other than the one that is its verdict, and how many bytes of text they hold.
func encodeReruns(c Case, full string) (xml []byte, used int) {
	element := "rerunFailure"
	switch c.Verdict {
	case Pass:
		element = "flakyFailure"
	case Skip:
		return nil, 0
	}
	var b xmlBuf
	n := 0
	for _, a := range c.Reruns {
		if !failed(a.Verdict) || n == maxReruns {
			continue
		}
		n++
		message := clipLine(headline(a.Verdict, a.Message), maxMessage/4)
		stack := clip(message+"\n"+clean(a.Detail), maxRerunBody, full)
		used += len(stack)
		b.raw("      <" + element)
		b.attr("type", string(Case{Verdict: a.Verdict, Kind: a.Kind}.kind()))
		b.attr("message", message)
		b.raw(">\n        <stackTrace>")
		b.text(stack)
		b.raw("</stackTrace>\n      </" + element + ">\n")
	}
	return b, used
}

// caseProperties are the facts that readers may group by, then those of the case, then its attachments.
func caseProperties(c Case, full string) []Property {
	var ps []Property
	add := func(name, value string) {
		if value != "" {
			ps = append(ps, Property{name, value})
		}
	}
	if failed(c.Verdict) {
		add("verdict", string(c.Verdict))
	}
	add("labels", strings.Join(c.Labels, " "))
	if c.Attempts > 1 {
		add("attempts", strconv.Itoa(c.Attempts))
		add("failures", strconv.Itoa(c.Failures))
	}
	if c.Flaky() {
		add("flaky", "true")
	}
	add("signature", c.Signature)
	add("repro", c.Repro)
	ps = append(ps, c.Properties...)
	for _, a := range c.Attachments {
		add("attachment", a)
	}
	if len(ps) <= maxProperties {
		return ps
	}
	cut := fmt.Sprintf("%d more; all of them in %s", len(ps)-maxProperties+1, full)
	return append(ps[:maxProperties-1:maxProperties-1], Property{"properties.cut", cut})
}

// properties appends a <properties> element, or nothing for an empty list.
func (b *xmlBuf) properties(indent string, ps []Property) {
	if len(ps) == 0 {
		return
	}
	b.raw(indent + "<properties>\n")
	for _, p := range ps {
		b.raw(indent + "  <property")
		b.attr("name", clipLine(clean(p.Name), maxValue))
		b.attr("value", clipLine(clean(p.Value), maxValue))
		b.raw("/>\n")
	}
	b.raw(indent + "</properties>\n")
}

// systemOut appends the attachment tags, alone on their lines and best first, because GitLab takes the first one only. Those
// that do not fit are properties still.
func (b *xmlBuf) systemOut(paths []string) {
	var tags strings.Builder
	for _, p := range paths {
		tag := "[[ATTACHMENT|" + p + "]]\n"
		if p != oneLine(p) || strings.Contains(p, "]]") {
			continue // such a path cannot be told from the tag's end
		}
		if tags.Len()+len(tag) > maxSystemOut {
			break
		}
		tags.WriteString(tag)
	}
	if tags.Len() == 0 {
		return
	}
	b.raw("      <system-out>\n")
	b.text(tags.String())
	b.raw("      </system-out>\n")
}
