// Package feed streams events to a server so that each is acknowledged once: what is
// not acknowledged when a connection breaks is sent again over the next.
package feed

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

const (
	// window is the number of batches on their way at once.
	window = 8
	// patience is how long a server may be gone before Send gives up.
	patience = 2 * time.Minute
)

// Batch is what is sent and acknowledged at once. Done tells how far its source was
// read when the batch was complete, in the source's own measure.
type Batch struct {
	Events []*attunev1.Event
	Done   int64
}

// Send sends the batches that next returns, until next returns io.EOF, and calls acked
// for each in their order. While the server is away it tries again; the events need
// ids, or the ones sent twice would count twice.
func Send(ctx context.Context, client attunev1.EventServiceClient, next func() (Batch, error), acked func(Batch, []*attunev1.EventResult)) error {
	var waiting []Batch // sent or to be sent, not acknowledged
	ended := false
	lastAck := time.Now()
	for attempt := 0; ; attempt++ {
		before := lastAck
		err := sendOver(ctx, client, &waiting, &ended, next, func(b Batch, results []*attunev1.EventResult) {
			lastAck = time.Now()
			acked(b, results)
		})
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if lastAck != before {
			attempt = 0
		}
		if !passing(err) || time.Since(lastAck) > patience {
			return err
		}
		pause := min(50*time.Millisecond<<min(attempt, 6), 3*time.Second)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

// passing tells whether the same call may succeed later.
func passing(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted:
		return true
	}
	return false
}

// sendOver sends over one stream until everything is acknowledged or the stream breaks.
func sendOver(ctx context.Context, client attunev1.EventServiceClient, waiting *[]Batch, ended *bool, next func() (Batch, error), acked func(Batch, []*attunev1.EventResult)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.Stream(ctx)
	if err != nil {
		return err
	}
	sent := 0
	for {
		for sent < len(*waiting) || (!*ended && len(*waiting) < window) {
			if sent == len(*waiting) {
				batch, err := next()
				if errors.Is(err, io.EOF) {
					*ended = true
					break
				}
				if err != nil {
					return err
				}
				*waiting = append(*waiting, batch)
			}
			if err := stream.Send(&attunev1.StreamRequest{Events: (*waiting)[sent].Events}); err != nil {
				_, err = stream.Recv() // tells why
				return err
			}
			sent++
		}
		if len(*waiting) == 0 {
			return stream.CloseSend()
		}
		response, err := stream.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = status.Error(codes.Unavailable, "the server ended the stream")
			}
			return err
		}
		acked((*waiting)[0], response.GetResults())
		*waiting = (*waiting)[1:]
		sent--
	}
}
