package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

const (
	// progressEvery is the time between two lines where there is no terminal.
	progressEvery = 5 * time.Second
	// estimateAfter is the time that something takes before the time left is worth saying.
	estimateAfter = time.Second
)

// timeLeft estimates how long the rest takes where a share, 0 to 1, took so long.
func timeLeft(took time.Duration, share float64) time.Duration {
	return time.Duration(float64(took) * (1 - share) / max(share, 1e-6)).Round(time.Second)
}

// progress shows how far something is: a bar on a terminal, else a line now and then.
type progress struct {
	out     io.Writer
	bar     *progressbar.ProgressBar
	what    string
	total   int64
	started time.Time
	last    time.Time
	// from is what was done before it started.
	from int64
	ever bool
}

// newProgress shows on the standard error output how far the reading of total bytes is.
func newProgress(what string, total int64) *progress {
	now := time.Now()
	p := &progress{out: os.Stderr, what: what, total: max(total, 1), started: now, last: now}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		p.bar = progressbar.NewOptions64(p.total,
			progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what),
			progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(),
		)
	}
	return p
}

// show says that done bytes are read and that count things are settled.
func (p *progress) show(done, count int64) {
	if !p.ever {
		p.ever, p.from = true, count
	}
	now := time.Now()
	took := now.Sub(p.started)
	rate := float64(count-p.from) / max(took.Seconds(), 0.001)
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("%s %s, %s/s", p.what, thousands(count), thousands(int64(rate))))
		_ = p.bar.Set64(min(done, p.total)) // showing is not worth an error
		return
	}
	if now.Sub(p.last) < progressEvery {
		return
	}
	p.last = now
	share := float64(min(done, p.total)) / float64(p.total)
	_, _ = fmt.Fprintf(p.out, "%s %s, %s/s, %.0f%%, %s left\n", p.what, thousands(count), thousands(int64(rate)), 100*share, timeLeft(took, share))
}

// say shows a message beside the progress.
func (p *progress) say(format string, args ...any) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	_, _ = fmt.Fprintf(p.out, format+"\n", args...)
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// steps shows the share of some work that is done, and the time that is left; nothing where
// there is no terminal.
type steps struct{ bar *progressbar.ProgressBar }

// stepsShown is the number of steps that a bar of steps tells apart.
const stepsShown = 1000

func newSteps() *steps {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return &steps{}
	}
	return &steps{bar: progressbar.NewOptions64(stepsShown,
		progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(),
	)}
}

func (s *steps) show(share float64, what string) {
	if s.bar != nil {
		s.bar.Describe(what)
		_ = s.bar.Set64(int64(min(share, 1) * stepsShown)) // showing is not worth an error
	}
}

// end takes the bar away.
func (s *steps) end() {
	if s.bar != nil {
		_ = s.bar.Finish()
	}
}
