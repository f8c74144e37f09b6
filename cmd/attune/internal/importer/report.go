package importer

import (
	"regexp"
	"strings"

	"google.golang.org/protobuf/proto"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// Report is what became of a file. Lines is the sum of the lines accepted, duplicate,
// rejected, acknowledged earlier and skipped, unless the import broke off.
type Report struct {
	// Lines is the number of the file's lines read.
	Lines     int64 `json:"lines"`
	Accepted  Count `json:"accepted"`
	Duplicate Count `json:"duplicate"`
	Rejected  Count `json:"rejected"`
	// Resumed is what an earlier import saw acknowledged.
	Resumed Count `json:"acknowledged_earlier"`
	// Skipped are the lines that never became an event.
	Skipped []Reason `json:"skipped"`
	// Rejections are what the server refused, by the first field that it named.
	Rejections []Reason `json:"rejections"`

	batches int64
}

// Count counts events, and the lines of the file that they were made of.
type Count struct {
	Events int64 `json:"events"`
	Lines  int64 `json:"lines"`
}

func (c *Count) add(record Record) {
	c.Events++
	c.Lines += record.Lines
}

// SkippedLines is the number of lines that never became an event.
func (r *Report) SkippedLines() int64 {
	var n int64
	for _, s := range r.Skipped {
		n += s.Lines
	}
	return n
}

// Settled is the number of lines of which it is known what became of them.
func (r *Report) Settled() int64 {
	return r.Accepted.Lines + r.Duplicate.Lines + r.Rejected.Lines + r.Resumed.Lines + r.SkippedLines()
}

// Acked is the number of events that were acknowledged, now or earlier.
func (r *Report) Acked() int64 {
	return r.Accepted.Events + r.Duplicate.Events + r.Rejected.Events + r.Resumed.Events
}

func (d *delivery) count(record Record, result *attunev1.EventResult) {
	switch result.GetStatus() {
	case attunev1.EventStatus_ACCEPTED:
		d.report.Accepted.add(record)
	case attunev1.EventStatus_DUPLICATE:
		d.report.Duplicate.add(record)
	default:
		d.report.Rejected.add(record)
		reason, example := "no reason given", result.GetEventId()
		if v := result.GetViolations(); len(v) > 0 {
			reason = index.ReplaceAllString(v[0].GetField(), "[]")
			example = strings.TrimPrefix(example+": "+v[0].GetField()+": "+v[0].GetDescription(), ": ")
		}
		d.rejections.add(reason, example, 1, record.Lines)
	}
}

// index is a place in a list, which would make a reason of each.
var index = regexp.MustCompile(`\[\d+\]`)

// size is about the number of bytes that the record takes in a message.
func (r Record) size() int { return proto.Size(r.Event) }
