// Package webhook serves the WebhookService: it defines webhooks (definitions.go), and delivers to
// them who enters and who leaves segments, as store/membership publishes it.
//
// One process of those that share the stores delivers, under a lease (deliver.go). Of each webhook it
// goes through the transitions shard by shard (run.go, batch.go), with one delivery of a shard
// under way at a time, so that the changes of a user arrive in order. Where a delivery begins and ends
// is durable before its first try (progress.go), and its id is made of that: whoever goes on after
// a crash sends the same under the same id. A process that has lost the lease unawares begins nothing
// more, for its successor has written the register that it would note that in.
//
// A receiver that hangs or fails keeps nobody waiting: its webhook is behind in the transitions, and
// nothing of it is in memory but places. What is given up is kept (failed.go), listed (failed_list.go) and
// sent again when somebody asks for it (retry.go). Only public addresses are dialled (address.go).
package webhook

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server/wire"
	"github.com/attune-shop/attune/store/register"
)

// Service is the WebhookService. Its errors wrap the sentinels of model/event.
type Service struct {
	attunev1.UnimplementedWebhookServiceServer

	options Options
	guard   *guard
	// deliver is idle where another process delivers; its sender is for tests, too.
	deliver *deliverer
	stop    context.CancelFunc
	running sync.WaitGroup
}

// Open begins to deliver, as soon as no other process does, until Close.
func Open(ctx context.Context, options Options) *Service {
	options.complete()
	s := &Service{options: options, guard: newGuard(options.AllowPrivate)}
	s.deliver = &deliverer{
		options: options, sender: newSender(s.guard, options.Timeout, options.Now),
		heads: newHeads(options.Reader), woken: make(chan struct{}, 1),
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.running.Go(func() { s.deliver.work(running) })
	return s
}

// Close ends what Open began. What is under way is broken off, and sent again by who delivers next.
func (s *Service) Close() error {
	s.stop()
	s.running.Wait()
	s.deliver.sender.close()
	return nil
}

// find returns a webhook.
func (s *Service) find(ctx context.Context, id string) (*hook, error) {
	if err := wire.CheckID("webhook_id", id); err != nil {
		return nil, err
	}
	all, _, err := register.Read[hooks](ctx, s.options.Store, hooksRegister)
	if err != nil {
		return nil, err
	}
	at, err := all.find(id)
	if err != nil {
		return nil, err
	}
	return &all.Hooks[at], nil
}

// TestWebhook sends one delivery without changes.
func (s *Service) TestWebhook(ctx context.Context, request *attunev1.TestWebhookRequest) (*attunev1.TestWebhookResponse, error) {
	found, err := s.find(ctx, request.GetWebhookId())
	if err != nil {
		return nil, err
	}
	one := delivery{ID: "test_" + rand.Text(), WebhookID: found.ID, Changes: []sentChange{}, Test: true}
	body, err := one.body()
	if err != nil {
		return nil, err
	}
	got := s.deliver.sender.send(ctx, found, one.ID, body)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("test of webhook %q: %w", found.ID, ctx.Err())
	}
	response := &attunev1.TestWebhookResponse{
		DeliveryId: one.ID, Delivered: got.err == nil, StatusCode: int32(got.status), Body: wire.Text(string(got.body)),
	}
	if got.err != nil {
		response.Failure = wire.Text(got.err.Error())
	}
	return response, nil
}
