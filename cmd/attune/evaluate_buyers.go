package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/attune-shop/attune/cmd/attune/internal/importer"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/propensity"
	"github.com/attune-shop/attune/server/wire"
)

type evaluateBuyersCmd struct {
	Format string `arg:"" enum:"online-retail,retailrocket,csv,jsonl" help:"What the file is: ${enum}."`
	File   string `arg:"" help:"The file of events, plain or gzip'ed." type:"existingfile"`
	Seed   int64  `help:"Same data, same seed, same figures." default:"1" placeholder:"N"`
	form
}

// Help says what is below the flags.
func (evaluateBuyersCmd) Help() string {
	return "Learns who will purchase within 7 days from the events of known users, and measures it on the newest weeks, up to four, " +
		"which are held out. It is held against what the days since a user's last event, or last purchase, tell alone, whichever is better. " +
		"A sample is a user at one of several times in those weeks; intervals are over draws of users. Files are those of attune import."
}

// evaluatedBuyers is what the evaluation prints.
type evaluatedBuyers struct {
	Format string    `json:"format"`
	File   string    `json:"file"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Users  int       `json:"users"`
	Events int64     `json:"events"`
	// LeftOut are events without a known user, that are not valid, or whose id the user had before.
	LeftOut int64              `json:"left_out"`
	Skipped []importer.Reason  `json:"skipped,omitempty"`
	Report  *propensity.Report `json:"report"`
	Notes   []string           `json:"notes,omitempty"`
	Seconds float64            `json:"seconds"`
}

// rocketNotes say what RetailRocket's file does to the labels.
var rocketNotes = []string{
	"events_train.csv lacks one buy of each user, which test_buy.csv has without its time: some weeks had a purchase and count as without one.",
	"It holds only users who bought twice or more, so who has not bought yet is sure to. The rows of those who bought before are free of that.",
}

// Run reads the file, learns, and prints what was reached.
func (c *evaluateBuyersCmd) Run(ctx context.Context, out io.Writer) error {
	started := time.Now()
	done := &evaluatedBuyers{Format: c.Format, File: c.File}
	if importer.Format(c.Format) == importer.RetailRocket {
		done.Notes = rocketNotes
	}
	users, err := done.read()
	if err != nil {
		return err
	}
	samples, err := propensity.NewSamples(done.From, done.To, c.Seed)
	if err != nil {
		return err
	}
	for user, events := range users {
		samples.Add(user, events)
	}
	bar := newSteps()
	defer bar.end()
	_, done.Report, err = propensity.Learn(ctx, samples, runtime.GOMAXPROCS(0), func(share float64) { bar.show(share, "learning") })
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	if err != nil {
		return err
	}
	bar.end()
	done.Seconds = time.Since(started).Seconds()
	if c.Output == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(done)
	}
	p := &printer{to: out}
	done.text(p)
	return p.err
}

// read reads the file's events, by user.
func (e *evaluatedBuyers) read() (users map[string][]event.Event, err error) {
	file, err := importer.OpenFile(e.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	source, err := importer.NewSource(importer.Format(e.Format), file, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.File, err)
	}
	type id struct{ user, event string }
	seen := map[id]bool{}
	users = map[string][]event.Event{}
	for {
		record, err := source.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.File, err)
		}
		var x event.Event
		wire.ReadEvent(&x, record.Event)
		at := x.OccurredAt
		if x.UserID == "" || at.IsZero() || len(x.Validate(at)) > 0 {
			e.LeftOut++
			continue
		}
		x.Complete(at)
		key := id{x.UserID, x.ID}
		if seen[key] {
			e.LeftOut++
			continue
		}
		seen[key] = true
		if e.From.IsZero() || x.OccurredAt.Before(e.From) {
			e.From = x.OccurredAt
		}
		if !x.OccurredAt.Before(e.To) {
			e.To = x.OccurredAt.Add(time.Microsecond)
		}
		users[x.UserID] = append(users[x.UserID], x)
		e.Events++
	}
	e.Users, e.Skipped = len(users), source.Skipped()
	return users, nil
}

func (e *evaluatedBuyers) text(p *printer) {
	const day = time.DateOnly
	p.line("%s events of %s users from %s to %s; %s left out.", thousands(e.Events), thousands(int64(e.Users)), e.From.Format(day), e.To.Format(day), thousands(e.LeftOut))
	p.buyersReport(e.Report, e.Notes...)
}
