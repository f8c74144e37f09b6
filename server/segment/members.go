package segment

import (
	"context"
	"encoding/json"
	"fmt"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/fault"
	"github.com/attune-shop/attune/server/wire"
	"github.com/attune-shop/attune/store"
)

const (
	// maxMembersPage bounds a page of members, which are short.
	maxMembersPage = 10_000
	// membersAtOnce is the number of members of one message of an export, and of a watch as it begins.
	membersAtOnce = 1_000
)

// ListMembers answers a page of a segment's members.
func (s *Service) ListMembers(ctx context.Context, request *attunev1.ListMembersRequest) (*attunev1.ListMembersResponse, error) {
	found, err := s.find(ctx, request.GetSegmentId())
	if err != nil {
		return nil, err
	}
	size := int(request.GetPageSize())
	switch {
	case size == 0:
		size = fault.DefaultPageSize
	case size < 0 || size > maxMembersPage:
		return nil, event.Invalid("page_size", "must be 1..%d, or 0 for %d; is %d", maxMembersPage, fault.DefaultPageSize, size)
	}
	kind := fmt.Sprintf("members %d", found.Number)
	after, err := s.readPlace(kind, request.GetPageToken())
	if err != nil {
		return nil, err
	}
	page, err := s.options.Reader.Page(ctx, found.Number, after, size+1)
	if err != nil {
		return nil, err
	}
	response := &attunev1.ListMembersResponse{}
	if len(page) > size {
		page = page[:size]
		value, _ := json.Marshal(page[size-1]) // text and numbers always have a JSON form
		response.NextPageToken = fault.EncodeToken(kind, string(value))
	}
	for _, at := range page {
		response.Members = append(response.Members, &attunev1.Member{UserId: at.UserID})
	}
	return response, nil
}

// readPlace reads a page token; none is before the first member.
func (s *Service) readPlace(kind, token string) (at store.Place, err error) {
	if token == "" {
		return at, nil
	}
	value, err := fault.DecodeToken(kind, token)
	if err != nil {
		return at, err
	}
	if json.Unmarshal([]byte(value), &at) != nil || at.Shard < 0 || at.Shard >= s.options.Reader.Shards() || wire.CheckID("page_token", at.UserID) != nil {
		return at, event.Invalid("page_token", "is not a page token of this list")
	}
	return at, nil
}

// ExportMembers streams a segment's members.
func (s *Service) ExportMembers(request *attunev1.ExportMembersRequest, stream attunev1.SegmentService_ExportMembersServer) error {
	found, err := s.find(stream.Context(), request.GetSegmentId())
	if err != nil {
		return err
	}
	members := make([]*attunev1.Member, 0, membersAtOnce)
	space := make([]attunev1.Member, membersAtOnce) // used again: what is sent is encoded by then
	send := func() error {
		err := stream.Send(&attunev1.ExportMembersResponse{Members: members})
		members = members[:0]
		return err
	}
	err = s.options.Reader.Each(stream.Context(), found.Number, func(userID string) error {
		m := &space[len(members)]
		m.UserId = userID
		if members = append(members, m); len(members) == membersAtOnce {
			return send()
		}
		return nil
	})
	if err != nil || len(members) == 0 {
		return err
	}
	return send()
}
