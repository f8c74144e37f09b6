package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
)

// depth is the number of a stream's batches under way at once, so that one is read and
// checked while others wait for the disk.
const depth = 8

// answer is a batch's, or what ended the stream.
type answer struct {
	response *attunev1.StreamResponse
	err      error
}

// Stream takes batches and answers them in their order. A batch that cannot be written
// ends the stream; those after it may have been written without an answer, so a client
// sends again whatever was not answered.
func (s *Service) Stream(stream attunev1.EventService_StreamServer) error {
	answers := make(chan chan answer, depth)
	s.running.Go(func() { s.receive(stream, answers) })
	for {
		select {
		case next, more := <-answers:
			if !more {
				return nil
			}
			if err := send(stream, <-next); err != nil {
				return err
			}
		case <-s.draining:
			return s.end(stream, answers)
		}
	}
}

// receive reads batches until the stream ends and lets them be written at the same time.
// It does not outlive the stream by more than the batches under way.
func (s *Service) receive(stream attunev1.EventService_StreamServer, answers chan<- chan answer) {
	defer close(answers)
	ctx := stream.Context()
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return
		}
		next := make(chan answer, 1)
		if err != nil {
			next <- answer{err: err}
		}
		select {
		case answers <- next:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
		s.running.Go(func() { next <- s.answer(ctx, request) })
	}
}

func (s *Service) answer(ctx context.Context, request *attunev1.StreamRequest) (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a = answer{err: fmt.Errorf("panic: %v", r)}
		}
	}()
	results, err := s.write(ctx, request.GetEvents())
	if err != nil {
		return answer{err: err}
	}
	return answer{response: &attunev1.StreamResponse{Results: results, BatchId: request.GetBatchId()}}
}

func send(stream attunev1.EventService_StreamServer, a answer) error {
	if a.err != nil {
		return a.err
	}
	return stream.Send(a.response)
}

// end answers the batches that were taken in and tells the client to go on elsewhere.
func (s *Service) end(stream attunev1.EventService_StreamServer, answers <-chan chan answer) error {
	for {
		select {
		case next, more := <-answers:
			if !more {
				return nil
			}
			if err := send(stream, <-next); err != nil {
				return err
			}
		default:
			return fmt.Errorf("the server is ending: %w", event.ErrUnavailable)
		}
	}
}
