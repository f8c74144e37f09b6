package webhook

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/wire"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/register"
)

// oldSecretFor is how long a rotated secret still signs.
const oldSecretFor = 24 * time.Hour

// CreateWebhook defines a webhook of what changes from now on.
func (s *Service) CreateWebhook(ctx context.Context, request *attunev1.CreateWebhookRequest) (*attunev1.Webhook, error) {
	violations := append(wire.CheckName("webhook_id", request.GetWebhookId()), s.guard.check(request.GetUrl())...)
	violations = append(violations, checkSecret(request.GetSecret())...)
	unknown, err := s.checkSegments(ctx, "segment_ids", request.GetSegmentIds())
	if err != nil {
		return nil, err
	}
	if violations = append(violations, unknown...); len(violations) > 0 {
		return nil, &event.InvalidError{Violations: violations}
	}
	now := s.options.Now().UTC().Truncate(time.Microsecond)
	made := hook{
		ID: request.GetWebhookId(), URL: request.GetUrl(), SegmentIDs: request.GetSegmentIds(), Nonce: rand.Text(),
		Secret: secret(request.GetSecret()), CreatedAt: now, UpdatedAt: now, Start: make([]store.Seq, s.options.Reader.Shards()),
	}
	if made.Secret == "" {
		made.Secret = makeSecret()
	}
	for shard := range made.Start {
		if made.Start[shard], err = s.options.Reader.Head(ctx, shard); err != nil {
			return nil, err
		}
	}
	all, err := s.change(ctx, func(h *hooks) error { return h.add(made) })
	if err != nil {
		return nil, err
	}
	s.deliver.wake()
	return s.describeOne(ctx, &all, made.ID, true)
}

// UpdateWebhook changes what is given.
func (s *Service) UpdateWebhook(ctx context.Context, request *attunev1.UpdateWebhookRequest) (*attunev1.Webhook, error) {
	id := request.GetWebhookId()
	violations := wire.CheckName("webhook_id", id)
	if request.Url != nil {
		violations = append(violations, s.guard.check(request.GetUrl())...)
	}
	unknown, err := s.checkSegments(ctx, "segments.segment_ids", request.GetSegments().GetSegmentIds())
	if err != nil {
		return nil, err
	}
	if violations = append(violations, unknown...); len(violations) > 0 {
		return nil, &event.InvalidError{Violations: violations}
	}
	fresh, now := makeSecret(), s.options.Now().UTC().Truncate(time.Microsecond)
	all, err := s.change(ctx, func(h *hooks) error {
		at, err := h.find(id)
		if err != nil {
			return err
		}
		h.Hooks[at].update(request, fresh, now)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.deliver.wake()
	return s.describeOne(ctx, &all, id, request.GetRotateSecret())
}

// change changes the webhooks as one step, durably, and returns what they are then.
func (s *Service) change(ctx context.Context, do func(*hooks) error) (hooks, error) {
	all, _, err := register.Change(ctx, s.options.Store, hooksRegister, do)
	if errors.Is(err, register.ErrTooLarge) {
		err = event.Invalid("segment_ids", "all webhooks together, with their URLs and lists of segments, take at most %d bytes", register.MaxBytes)
	}
	return all, err
}

// update changes what a request gives; fresh is the secret that a rotation puts in the place of the present one.
func (h *hook) update(request *attunev1.UpdateWebhookRequest, fresh secret, now time.Time) {
	if request.Url != nil {
		h.URL = request.GetUrl()
	}
	if request.Paused != nil {
		h.Paused, h.PausedReason = request.GetPaused(), ""
	}
	if list := request.GetSegments(); list != nil && !slices.Equal(list.GetSegmentIds(), h.SegmentIDs) {
		h.SegmentIDs = list.GetSegmentIds()
		h.Revision++
	}
	if request.GetRotateSecret() {
		h.OldSecret, h.OldUntil, h.Secret = h.Secret, now.Add(oldSecretFor), fresh
	}
	h.Changes++
	h.UpdatedAt = now
}

// GetWebhook answers a webhook.
func (s *Service) GetWebhook(ctx context.Context, request *attunev1.GetWebhookRequest) (*attunev1.Webhook, error) {
	found, err := s.find(ctx, request.GetWebhookId())
	if err != nil {
		return nil, err
	}
	return s.describe(ctx, found, false)
}

// ListWebhooks answers all webhooks in the order of their ids.
func (s *Service) ListWebhooks(ctx context.Context, _ *attunev1.ListWebhooksRequest) (*attunev1.ListWebhooksResponse, error) {
	all, _, err := register.Read[hooks](ctx, s.options.Store, hooksRegister)
	if err != nil {
		return nil, err
	}
	response := &attunev1.ListWebhooksResponse{}
	for i := range all.Hooks {
		described, err := s.describe(ctx, &all.Hooks[i], false)
		if err != nil {
			return nil, err
		}
		response.Webhooks = append(response.Webhooks, described)
	}
	return response, nil
}

// DeleteWebhook deletes a webhook. Who delivers removes what is stored of it.
func (s *Service) DeleteWebhook(ctx context.Context, request *attunev1.DeleteWebhookRequest) (*attunev1.DeleteWebhookResponse, error) {
	id := request.GetWebhookId()
	if err := wire.CheckID("webhook_id", id); err != nil {
		return nil, err
	}
	_, err := s.change(ctx, func(h *hooks) error {
		at, err := h.find(id)
		if err != nil {
			return err
		}
		h.Dropped = append(h.Dropped, h.Hooks[at].Number)
		h.Hooks = slices.Delete(h.Hooks, at, at+1)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.deliver.wake()
	return &attunev1.DeleteWebhookResponse{}, nil
}

func (s *Service) describeOne(ctx context.Context, all *hooks, id string, secretToo bool) (*attunev1.Webhook, error) {
	at, err := all.find(id)
	if err != nil {
		return nil, err
	}
	return s.describe(ctx, &all.Hooks[at], secretToo)
}

// describe puts a webhook on the wire, with its secret only where that was just made.
func (s *Service) describe(ctx context.Context, h *hook, secretToo bool) (*attunev1.Webhook, error) {
	state, err := s.state(ctx, h)
	if err != nil {
		return nil, err
	}
	out := &attunev1.Webhook{
		WebhookId: h.ID, Url: h.URL, SegmentIds: h.SegmentIDs, Paused: h.Paused, PausedReason: h.PausedReason,
		CreatedAt: wire.Time(h.CreatedAt), UpdatedAt: wire.Time(h.UpdatedAt), State: state,
	}
	if secretToo {
		out.Secret = string(h.Secret)
	}
	return out, nil
}

// state says how far a webhook is, whichever process delivers.
func (s *Service) state(ctx context.Context, h *hook) (*attunev1.WebhookState, error) {
	p, _, err := register.Read[progress](ctx, s.options.Store, progressRegister(h.Number))
	if err != nil {
		return nil, err
	}
	kept, _, err := register.Read[failures](ctx, s.options.Store, failedRegister(h.Number))
	if err != nil {
		return nil, err
	}
	p.begin(h)
	state := &attunev1.WebhookState{
		DeliveredChanges: p.Delivered, LastDeliveredAt: wire.Time(p.LastDelivered), LastError: wire.Text(p.LastError), LastFailedAt: wire.Time(p.LastFailed),
		FailuresInRow: p.Failures, MissedRows: p.Missed, FailedDeliveries: int64(len(kept.Failures)),
	}
	for shard := range p.Shards {
		head, err := s.options.Reader.Head(ctx, shard)
		if err != nil {
			return nil, err
		}
		state.Lag += int64(max(head, p.Shards[shard].Done.Seq) - p.Shards[shard].Done.Seq)
	}
	return state, nil
}

// checkSegments returns a violation for each id that is no segment's, or is there twice.
func (s *Service) checkSegments(ctx context.Context, field string, ids []string) (all []event.Violation, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if err := s.options.Book.Refresh(ctx); err != nil {
		return nil, err
	}
	edition, seen := s.options.Book.Current(), map[string]bool{}
	for i, id := range ids {
		at := fmt.Sprintf("%s[%d]", field, i)
		if _, err := edition.Find(id); err != nil {
			all = append(all, event.Invalid(at, "there is no segment %q", wire.Text(id)).Violations...)
		} else if seen[id] {
			all = append(all, event.Invalid(at, "is there twice").Violations...)
		}
		seen[id] = true
	}
	return all, nil
}
