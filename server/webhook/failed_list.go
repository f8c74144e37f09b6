package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/fault"
	"github.com/attune-shop/attune/server/wire"
	"github.com/attune-shop/attune/store/register"
)

// maxPageBytes is where a page of failed deliveries ends, by their bodies.
const maxPageBytes = 2 << 20

// ListFailedDeliveries answers the deliveries that were given up, oldest first.
func (s *Service) ListFailedDeliveries(
	ctx context.Context, request *attunev1.ListFailedDeliveriesRequest,
) (*attunev1.ListFailedDeliveriesResponse, error) {
	size, err := fault.PageSize(request.GetPageSize())
	if err != nil {
		return nil, err
	}
	found, err := s.find(ctx, request.GetWebhookId())
	if err != nil {
		return nil, err
	}
	kind, after := fmt.Sprintf("failed/%d", found.Number), ""
	if token := request.GetPageToken(); token != "" {
		if after, err = fault.DecodeToken(kind, token); err != nil {
			return nil, err
		}
	}
	kept, _, err := register.Read[failures](ctx, s.options.Store, failedRegister(found.Number))
	if err != nil {
		return nil, err
	}
	// Where the last of the page before is there no more, the list begins anew: none is left out.
	from := kept.find(after) + 1
	response, bytes := &attunev1.ListFailedDeliveriesResponse{}, 0
	for i := from; i < len(kept.Failures); i++ {
		if len(response.GetDeliveries()) == size || bytes > maxPageBytes {
			response.NextPageToken = fault.EncodeToken(kind, kept.Failures[i-1].ID)
			break
		}
		body, err := failedBody(ctx, s.options.Store, found.Number, &kept.Failures[i])
		if err != nil {
			return nil, err
		}
		described, err := describeFailure(&kept.Failures[i], body)
		if err != nil {
			return nil, err
		}
		response.Deliveries = append(response.Deliveries, described)
		bytes += len(body)
	}
	return response, nil
}

func describeFailure(one *failure, body []byte) (*attunev1.FailedDelivery, error) {
	out := &attunev1.FailedDelivery{
		DeliveryId: one.ID, FailedAt: wire.Time(one.FailedAt), Tries: one.Tries, Error: wire.Text(one.Error), Retrying: one.Retry,
	}
	if body == nil {
		return out, nil // it was delivered a moment ago
	}
	var sent delivery
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, fmt.Errorf("delivery %s: %w: %w", one.ID, event.ErrCorrupt, err)
	}
	for i := range sent.Changes {
		c := &sent.Changes[i]
		change := &attunev1.SegmentChange{
			SegmentId: c.SegmentID, UserId: c.UserID, Type: attunev1.MembershipChangeType_LEFT, OccurredAt: wire.Time(c.OccurredAt),
		}
		if c.Type == entered {
			change.Type = attunev1.MembershipChangeType_ENTERED
		}
		out.Changes = append(out.Changes, change)
	}
	return out, nil
}

// RetryFailedDeliveries has failed deliveries sent again.
func (s *Service) RetryFailedDeliveries(
	ctx context.Context, request *attunev1.RetryFailedDeliveriesRequest,
) (*attunev1.RetryFailedDeliveriesResponse, error) {
	found, err := s.find(ctx, request.GetWebhookId())
	if err != nil {
		return nil, err
	}
	ids, response := request.GetDeliveryIds(), &attunev1.RetryFailedDeliveriesResponse{}
	_, _, err = register.Change(ctx, s.options.Store, failedRegister(found.Number), func(f *failures) error {
		response.Retried = 0
		for i, id := range ids {
			if f.find(id) < 0 {
				return event.Invalid(fmt.Sprintf("delivery_ids[%d]", i), "there is no failed delivery %q", wire.Text(id))
			}
		}
		for i := range f.Failures {
			if one := &f.Failures[i]; len(ids) == 0 || slices.Contains(ids, one.ID) {
				one.Retry = true
				response.Retried++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return response, nil
}
