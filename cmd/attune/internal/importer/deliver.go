package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

const (
	// batchBytes bounds a batch's size well below that of a message.
	batchBytes = 2 << 20
	// firstPause and longestPause bound the pauses between tries.
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	// greeting is how long a server that never answered is waited for.
	greeting = 5 * time.Second
)

// Options say how Deliver streams.
type Options struct {
	// BatchSize is in events, at most 10,000.
	BatchSize int
	// Window is the number of batches in flight.
	Window int
	// Patience is how long a server that stopped answering is waited for.
	Patience time.Duration
	// Skip is the number of records that an earlier import saw acknowledged.
	Skip int64
	// Acked is told after each acknowledged batch, from one goroutine; an error ends the import.
	Acked func(*Report) error
	// Retrying is told before each new try.
	Retrying func(err error, pause time.Duration)
}

// Deliver streams the source's events and returns what became of them, also beside an
// error: then the report covers what was acknowledged until then. Batches that were not
// acknowledged when a stream broke are sent again; their ids make that safe.
func Deliver(ctx context.Context, client attunev1.EventServiceClient, source Source, options Options) (*Report, error) {
	d := &delivery{client: client, source: source, options: options, report: &Report{}}
	d.report.Resumed.Events = options.Skip
	err := d.skip()
	if err == nil {
		err = d.run(ctx)
	}
	d.report.Lines = source.Lines()
	d.report.Skipped = source.Skipped()
	d.report.Rejections = d.rejections.list()
	return d.report, err
}

type delivery struct {
	client  attunev1.EventServiceClient
	source  Source
	options Options
	report  *Report

	rejections tally
	// waiting are the batches not yet acknowledged, oldest first. The goroutine that sends
	// owns it while a stream is open.
	waiting []*batch
	// number names the next batch.
	number int64
	// held is a record that did not fit the last batch.
	held *Record
	// ended says that the source has no more, for the reason failed if not nil.
	ended  bool
	failed error
}

type batch struct {
	request *attunev1.StreamRequest
	records []Record
}

// skip leaves out what an earlier import saw acknowledged.
func (d *delivery) skip() error {
	for range d.options.Skip {
		record, err := d.source.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the file has fewer events than the %d acknowledged earlier: it is another file", d.options.Skip)
		}
		if err != nil {
			return err
		}
		d.report.Resumed.Lines += record.Lines
	}
	return nil
}

// run opens streams until one of them has delivered everything.
func (d *delivery) run(ctx context.Context) error {
	pause, since, acked := firstPause, time.Now(), int64(-1)
	for {
		err := d.stream(ctx)
		switch {
		case err == nil && d.ended:
			return d.failed
		case ctx.Err() != nil:
			return ctx.Err()
		case !passing(err):
			return err
		}
		if d.report.batches != acked {
			pause, since, acked = firstPause, time.Now(), d.report.batches
		}
		patience := d.options.Patience
		if d.report.batches == 0 {
			patience = min(patience, greeting)
		}
		if time.Since(since) >= patience {
			return err
		}
		if d.options.Retrying != nil {
			d.options.Retrying(err, pause)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause = min(2*pause, longestPause)
	}
}

// passing tells whether the same batch may be taken later.
func passing(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.Canceled, codes.DeadlineExceeded:
		return true
	}
	return false
}

// stream delivers what is left over one stream. It returns nil once all that was sent is
// acknowledged: all there is where the source has ended, else what was sent before ctx did.
func (d *delivery) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := d.client.Stream(ctx)
	if err != nil {
		cancel()
		return err
	}
	sent := make(chan *batch, max(d.options.Window-1, 0))
	again := d.waiting
	d.waiting = nil
	go d.send(ctx, stream, again, sent)
	err = nil
	for b := range sent {
		if err == nil {
			if err = d.receive(stream, b); err != nil {
				cancel()
			}
		}
		if err != nil {
			d.waiting = append(d.waiting, b)
		}
	}
	if err == nil {
		_, _ = stream.Recv() // lets the call end; all answers are here
	}
	cancel()
	return err
}

// send sends again what was not acknowledged, then what the source has. Every batch goes
// into sent, whether it could be sent or not.
func (d *delivery) send(ctx context.Context, stream attunev1.EventService_StreamClient, again []*batch, sent chan<- *batch) {
	defer close(sent)
	for ctx.Err() == nil || len(again) > 0 {
		var b *batch
		if len(again) > 0 {
			b, again = again[0], again[1:]
		} else if b = d.next(); b == nil {
			_ = stream.CloseSend() // what it would say, the next answer says too
			return
		}
		sent <- b
		if ctx.Err() == nil && stream.Send(b.request) != nil && len(again) == 0 {
			return // the reason is with the answer that does not come
		}
	}
}

// next reads a batch from the source, nil where there is none left.
func (d *delivery) next() *batch {
	b := &batch{request: &attunev1.StreamRequest{}}
	size := 0
	for !d.ended && len(b.records) < d.options.BatchSize {
		record, err := d.record()
		if err != nil {
			d.ended = true
			if !errors.Is(err, io.EOF) {
				d.failed = err
			}
			break
		}
		size += record.size()
		if size > batchBytes && len(b.records) > 0 {
			d.held = &record
			break
		}
		b.records = append(b.records, record)
		b.request.Events = append(b.request.Events, record.Event)
	}
	if len(b.records) == 0 {
		return nil
	}
	d.number++
	b.request.BatchId = fmt.Sprint(d.number)
	return b
}

func (d *delivery) record() (Record, error) {
	if held := d.held; held != nil {
		d.held = nil
		return *held, nil
	}
	return d.source.Next()
}

// receive waits for a batch's answer and adds it up.
func (d *delivery) receive(stream attunev1.EventService_StreamClient, b *batch) error {
	response, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return status.Error(codes.Unavailable, "the server ended the stream")
	}
	if err != nil {
		return err
	}
	if response.GetBatchId() != b.request.GetBatchId() || len(response.GetResults()) != len(b.records) {
		return fmt.Errorf("batch %s of %d events was answered as batch %q of %d",
			b.request.GetBatchId(), len(b.records), response.GetBatchId(), len(response.GetResults()))
	}
	for i, result := range response.GetResults() {
		d.count(b.records[i], result)
	}
	d.report.batches++
	if d.options.Acked == nil {
		return nil
	}
	return d.options.Acked(d.report)
}
