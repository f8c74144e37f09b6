package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/attune-shop/attune/model/cf/eval"
)

// compare says how much better the first row is than each of the others.
func (e *evaluated) compare(seed int64) {
	metric := e.set.Metrics[0]
	name := metric.At(e.set.Protocol.K)
	first := &e.Rows[0]
	for i := 1; i < len(e.Rows); i++ {
		other := &e.Rows[i]
		x := eval.BootstrapDifference(first.measured.Values(metric), other.measured.Values(metric), seed)
		e.notes = append(e.notes, fmt.Sprintf("%s less %s: %s %+.4f, with a confidence of 95 %% from %+.4f to %+.4f.",
			first.Model, other.Model, name, first.Metrics[name]-other.Metrics[name], x.Low, x.High))
	}
}

// addPublished puts what others reached beside Attune's rows, best first.
func (e *evaluated) addPublished() {
	for _, p := range e.set.Published {
		source := "published"
		if p.Recomputed {
			source = "recomputed"
		}
		e.Rows = append(e.Rows, evaluatedRow{Model: p.Model, Source: source, Metrics: p.Metrics})
	}
	main := e.set.Metrics[0].At(e.set.Protocol.K)
	slices.SortStableFunc(e.Rows, func(a, b evaluatedRow) int { return cmp.Compare(b.Metrics[main], a.Metrics[main]) })
}

func (e *evaluated) print(out io.Writer, form string) error {
	if form == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(e)
	}
	p := &printer{to: out}
	e.text(p)
	return p.err
}

func (e *evaluated) text(p *printer) {
	train := e.set.Train
	p.line("Trained on %s interactions of %s users with %s items; measured on %s lists of %d.", thousands(int64(train.Interactions())),
		thousands(int64(train.Users())), thousands(int64(train.Items())), thousands(int64(len(e.set.Cases))), e.set.Protocol.K)
	p.line("")
	names := make([]string, len(e.set.Metrics))
	for i, metric := range e.set.Metrics {
		names[i] = metric.At(e.set.Protocol.K)
	}
	rows := []string{"model\tsource\t" + strings.Join(names, "\t") + "\tfit\tpeak memory"}
	unknown := false
	for _, r := range e.Rows {
		row := r.Model + "\t" + r.Source
		for _, name := range names {
			row += "\t" + r.metric(name)
		}
		if r.FitSeconds != nil {
			row += fmt.Sprintf("\t%.1f s", *r.FitSeconds)
			if r.PeakBytes == nil {
				unknown = true
			} else {
				row += fmt.Sprintf("\t%s MB", thousands(*r.PeakBytes/1e6))
			}
		}
		rows = append(rows, row)
	}
	p.table("", rows)
	p.line("")
	for _, note := range e.notes {
		p.line("%s", note)
	}
	if unknown {
		p.line("Peak memory is not shown: this system does not let a process measure it anew.")
	}
}

// metric writes a figure, with its interval where there is one; "-" where it was not published.
func (r *evaluatedRow) metric(name string) string {
	x, known := r.Metrics[name]
	if !known {
		return "-"
	}
	if between, ok := r.Intervals[name]; ok {
		return fmt.Sprintf("%.4f [%.4f, %.4f]", x, between[0], between[1])
	}
	return fmt.Sprintf("%.4f", x)
}
