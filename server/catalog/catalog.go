// Package catalog serves the CatalogService and keeps the Shelf, the catalog in memory that
// recommendations are made from.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/fault"
	"github.com/attune-shop/attune/server/wire"
)

const (
	// maxItems bounds the items of one request.
	maxItems = 10_000
	// maxRejections bounds the rejected items that ImportItems names.
	maxRejections = 100
	// tokenKind marks the page tokens of ListItems.
	tokenKind = "items"
)

// Service is the CatalogService.
type Service struct {
	attunev1.UnimplementedCatalogServiceServer

	shelf *Shelf
}

// New returns a Service that writes to the shelf and its store.
func New(shelf *Shelf) *Service { return &Service{shelf: shelf} }

// UpsertItems stores the valid items and says what is wrong with the others.
func (s *Service) UpsertItems(ctx context.Context, request *attunev1.UpsertItemsRequest) (*attunev1.UpsertItemsResponse, error) {
	results, err := s.upsert(ctx, request.GetItems())
	if err != nil {
		return nil, err
	}
	return &attunev1.UpsertItemsResponse{Results: results}, nil
}

// upsert returns a result for each item, in their order.
func (s *Service) upsert(ctx context.Context, given []*attunev1.Item) ([]*attunev1.ItemResult, error) {
	if len(given) > maxItems {
		return nil, event.Invalid("items", "must be at most %d, are %d", maxItems, len(given))
	}
	results := make([]*attunev1.ItemResult, len(given))
	valid := make([]event.Item, 0, len(given))
	for i, from := range given {
		item := wire.ReadItem(from)
		violations := wire.Unread(from)
		if len(violations) == 0 {
			violations = item.Validate()
		}
		results[i] = &attunev1.ItemResult{ItemId: wire.Text(item.ID), Violations: wire.Violations(violations)}
		if len(violations) == 0 {
			valid = append(valid, item)
		}
	}
	if err := s.shelf.Put(ctx, valid); err != nil {
		return nil, fmt.Errorf("store items: %w", err)
	}
	return results, nil
}

// ImportItems stores each message's items as UpsertItems does, before it reads the next.
func (s *Service) ImportItems(stream attunev1.CatalogService_ImportItemsServer) error {
	sum := &attunev1.ImportItemsResponse{}
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(sum)
		}
		if err != nil {
			return err
		}
		results, err := s.upsert(stream.Context(), request.GetItems())
		if err != nil {
			return err
		}
		for _, result := range results {
			if len(result.GetViolations()) == 0 {
				sum.Stored++
				continue
			}
			sum.Rejected++
			if len(sum.Rejections) < maxRejections {
				sum.Rejections = append(sum.Rejections, result)
			}
		}
	}
}

// GetItem answers one item.
func (s *Service) GetItem(_ context.Context, request *attunev1.GetItemRequest) (*attunev1.Item, error) {
	id := request.GetItemId()
	if err := wire.CheckID("item_id", id); err != nil {
		return nil, err
	}
	item, ok := s.shelf.Item(id)
	if !ok {
		return nil, fmt.Errorf("item %q: %w", id, event.ErrNotFound)
	}
	return wire.Item(item), nil
}

// ListItems pages through the catalog in the order of item ids.
func (s *Service) ListItems(_ context.Context, request *attunev1.ListItemsRequest) (*attunev1.ListItemsResponse, error) {
	size, err := fault.PageSize(request.GetPageSize())
	if err != nil {
		return nil, err
	}
	after := ""
	if token := request.GetPageToken(); token != "" {
		if after, err = fault.DecodeToken(tokenKind, token); err != nil {
			return nil, err
		}
	}
	items := s.shelf.After(after, size+1)
	response := &attunev1.ListItemsResponse{}
	if len(items) > size {
		items = items[:size]
		response.NextPageToken = fault.EncodeToken(tokenKind, items[size-1].ID)
	}
	for _, item := range items {
		response.Items = append(response.Items, wire.Item(item))
	}
	return response, nil
}

// DeleteItem removes an item; what is unknown already is NOT_FOUND.
func (s *Service) DeleteItem(ctx context.Context, request *attunev1.DeleteItemRequest) (*attunev1.DeleteItemResponse, error) {
	id := request.GetItemId()
	if err := wire.CheckID("item_id", id); err != nil {
		return nil, err
	}
	if err := s.shelf.Delete(ctx, id); err != nil {
		return nil, fmt.Errorf("item %q: %w", id, err)
	}
	return &attunev1.DeleteItemResponse{}, nil
}
