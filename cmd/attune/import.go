package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/attune-shop/attune/cmd/attune/internal/importer"
	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// itemBatch is the number of items in one message of an import of a catalog.
const itemBatch = 500

type importCmd struct {
	Format string `arg:"" enum:"online-retail,retailrocket,movielens,csv,jsonl" help:"What the file is: ${enum}."`
	File   string `arg:"" help:"The file, plain or gzip'ed." type:"existingfile"`
	Items  string `help:"File of the items, for movielens: its u.item." type:"existingfile" placeholder:"FILE"`
	Resume string `help:"Keep in this file how far the import is, and go on from there." placeholder:"FILE"`

	BatchSize int           `help:"Events in one batch, 1 to 10000." default:"500" placeholder:"N"`
	InFlight  int           `help:"Batches sent ahead of their acknowledgement." default:"8" placeholder:"N"`
	Patience  time.Duration `help:"Time that a server that stopped answering is waited for." default:"2m" placeholder:"TIME"`
	remote
}

// Help says what is below the flags.
func (importCmd) Help() string {
	return "Event ids come from the file, so that a second import counts nothing twice. csv has a header of the Event's field " +
		"names; jsonl has an Event a line, as in the body of POST /v1/events:write."
}

// imported is what an import prints.
type imported struct {
	Format string `json:"format"`
	File   string `json:"file"`
	*importer.Report
	ItemsStored   int64   `json:"items_stored"`
	ItemsRejected int64   `json:"items_rejected"`
	Seconds       float64 `json:"seconds"`
}

// Run streams the file in and prints what became of its lines, also of those before an error.
func (c *importCmd) Run(ctx context.Context, out io.Writer) error {
	if c.BatchSize < 1 || c.BatchSize > 10_000 || c.InFlight < 1 {
		return errors.New("--batch-size must be 1 to 10000 and --in-flight at least 1")
	}
	server, err := connect(c.Addr)
	if err != nil {
		return err
	}
	defer server.conn.Close()
	done, err := c.stream(ctx, server)
	if err = server.failure(err); errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	if done == nil || err != nil && done.Acked() == 0 {
		return err
	}
	return errors.Join(done.print(out, c.Output), err)
}

// stream delivers the file's events, then the catalog that it tells of. It returns nil where
// nothing was begun.
func (c *importCmd) stream(ctx context.Context, server *shopServer) (*imported, error) {
	source, file, err := c.open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	options := importer.Options{BatchSize: c.BatchSize, Window: c.InFlight, Patience: c.Patience}
	var point *importer.Checkpoint
	if c.Resume != "" {
		if point, err = importer.OpenCheckpoint(c.Resume, c.File, importer.Format(c.Format), c.Addr); err != nil {
			return nil, err
		}
		options.Skip = point.Acknowledged()
	}
	bar := newProgress("events", file.Size())
	defer bar.end()
	options.Retrying = func(err error, pause time.Duration) {
		bar.say("%v; trying again in %s", server.failure(err), pause.Round(10*time.Millisecond))
	}
	options.Acked = func(r *importer.Report) error {
		bar.show(file.BytesRead(), r.Acked())
		if point == nil {
			return nil
		}
		return point.Advance(r.Acked())
	}
	started := time.Now()
	report, err := importer.Deliver(ctx, server.events, source, options)
	done := &imported{Format: c.Format, File: c.File, Report: report}
	if err == nil {
		done.ItemsStored, done.ItemsRejected, err = storeItems(ctx, server, source.Items())
	}
	done.Seconds = time.Since(started).Seconds()
	if point != nil {
		if err == nil {
			err = point.Remove()
		} else {
			err = errors.Join(err, point.Save())
		}
	}
	return done, err
}

// open opens the file as a source. The file is the caller's to close.
func (c *importCmd) open() (importer.Source, *importer.File, error) {
	file, err := importer.OpenFile(c.File)
	if err != nil {
		return nil, nil, err
	}
	var items io.Reader
	if c.Items != "" {
		opened, err := importer.OpenFile(c.Items)
		if err != nil {
			return nil, nil, errors.Join(err, file.Close())
		}
		defer opened.Close()
		items = opened
	}
	source, err := importer.NewSource(importer.Format(c.Format), file, items)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", c.File, err), file.Close())
	}
	return source, file, nil
}

// storeItems puts items into the catalog.
func storeItems(ctx context.Context, server *shopServer, items []*attunev1.Item) (stored, rejected int64, err error) {
	if len(items) == 0 {
		return 0, 0, nil
	}
	stream, err := server.items.ImportItems(ctx)
	if err != nil {
		return 0, 0, err
	}
	for len(items) > 0 {
		n := min(itemBatch, len(items))
		if stream.Send(&attunev1.ImportItemsRequest{Items: items[:n]}) != nil {
			break // CloseAndRecv says why
		}
		items = items[n:]
	}
	response, err := stream.CloseAndRecv()
	return response.GetStored(), response.GetRejected(), err
}

func (d *imported) print(out io.Writer, form string) error {
	if form == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(d)
	}
	p := &printer{to: out}
	d.text(p)
	return p.err
}

func (d *imported) text(p *printer) {
	rows := []string{"\tevents\tlines"}
	for _, row := range []struct {
		name   string
		count  importer.Count
		always bool
	}{
		{"accepted", d.Accepted, true}, {"duplicate", d.Duplicate, true}, {"rejected", d.Rejected, true},
		{"acknowledged earlier", d.Resumed, false},
	} {
		if row.always || row.count.Events > 0 {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s", row.name, thousands(row.count.Events), thousands(row.count.Lines)))
		}
		if row.name == "rejected" {
			for _, r := range d.Rejections {
				rows = append(rows, fmt.Sprintf("  %s\t%s\t%s\tas %s", plain(r.Reason), thousands(r.Events), thousands(r.Lines), plain(r.Example)))
			}
		}
	}
	rows = append(rows, fmt.Sprintf("left out\t\t%s", thousands(d.SkippedLines())))
	for _, r := range d.Skipped {
		rows = append(rows, fmt.Sprintf("  %s\t\t%s\tas %s", plain(r.Reason), thousands(r.Lines), plain(r.Example)))
	}
	rows = append(rows, fmt.Sprintf("sum\t\t%s", thousands(d.Settled())))
	p.table("", rows)
	if d.Settled() == d.Lines {
		p.line("All %s lines read add up.", thousands(d.Lines))
	} else {
		p.line("%s lines were read; %s of them were not acknowledged.", thousands(d.Lines), thousands(d.Lines-d.Settled()))
	}
	if d.ItemsStored+d.ItemsRejected > 0 {
		p.line("%s items stored, %s rejected.", thousands(d.ItemsStored), thousands(d.ItemsRejected))
	}
	sent := d.Acked() - d.Resumed.Events
	p.line("%s events in %.1f s, %s a second.", thousands(sent), d.Seconds, thousands(int64(float64(sent)/max(d.Seconds, 0.001))))
}
