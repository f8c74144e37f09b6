// Package ingest serves the EventService: it takes batches in, refuses what is not valid
// event by event, writes the rest, and acknowledges once everything is durable.
//
// One batch goes through batch.go whatever door it came by: Write, Stream (stream.go) or
// ReplayRejected (rejected.go).
package ingest

import (
	"context"
	"sync"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
)

// History takes events; *history.History does.
type History interface {
	Write(ctx context.Context, events []event.Event) ([]history.Outcome, error)
}

// Options are what a Service is made of. History, Rejected and Now may not be left out.
type Options struct {
	History  History
	Rejected store.Rejected
	Now      func() time.Time
	// RetentionMonths is the number of whole months beside the current one in which an
	// event may have occurred; 0 is any.
	RetentionMonths int
}

// Service is the EventService.
type Service struct {
	attunev1.UnimplementedEventServiceServer

	options  Options
	draining chan struct{}
	drain    sync.Once
	running  sync.WaitGroup
	batches  sync.Pool
}

// New returns a Service.
func New(options Options) *Service {
	return &Service{
		options:  options,
		draining: make(chan struct{}),
		batches:  sync.Pool{New: func() any { return new(batch) }},
	}
}

// Drain makes every stream answer what it has taken in and end with UNAVAILABLE.
func (s *Service) Drain() { s.drain.Do(func() { close(s.draining) }) }

// Close waits for the batches under way. It is called once no call can begin.
func (s *Service) Close() {
	s.Drain()
	s.running.Wait()
}

// Write takes one batch.
func (s *Service) Write(ctx context.Context, request *attunev1.WriteRequest) (*attunev1.WriteResponse, error) {
	results, err := s.write(ctx, request.GetEvents())
	if err != nil {
		return nil, err
	}
	return &attunev1.WriteResponse{Results: results}, nil
}
