package recommend

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/rank"
)

// idBytes is the length of a recommendation id without its placement.
const idBytes = 26

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newID returns an id that names one list: 48 bits of time in milliseconds and 80 random
// ones, so that ids sort by time, and then the placement, as in
// "01k9f3b8m2r5t7v9wxyzabcdef.home-top".
func (s *Service) newID(now time.Time, placement string) (string, error) {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(max(now.UnixMilli(), 0))<<16)
	if _, err := io.ReadFull(s.options.Random, b[6:]); err != nil {
		return "", fmt.Errorf("recommendation id: %w", err)
	}
	id := idEncoding.EncodeToString(b[:])
	if placement != "" {
		id += "." + placement
	}
	return id, nil
}

// onWire turns entries into the contract's form and finds the ids of the events that are
// reasons for them. Where those cannot be looked up the list is degraded by that.
func (l *list) onWire(ctx context.Context, entries []rank.Entry) ([]*attunev1.RecommendedItem, error) {
	var prints []uint64
	items := make([]attunev1.RecommendedItem, len(entries))
	out := make([]*attunev1.RecommendedItem, len(entries))
	for i, e := range entries {
		items[i].ItemId, items[i].Score = e.ItemID, e.Score
		out[i] = &items[i]
		for _, r := range e.Reasons {
			if r.Event.Fingerprint != 0 {
				prints = append(prints, r.Event.Fingerprint)
			}
		}
	}
	var ids map[uint64]string
	if len(prints) > 0 {
		var err error
		if ids, err = l.service.options.People.EventIDs(ctx, l.visitor.Key, prints); err != nil {
			if err = l.degrade(ctx, err); err != nil {
				return nil, err
			}
			ids = nil // all reasons are without, rather than some
		}
	}
	for i, e := range entries {
		for _, r := range e.Reasons {
			out[i].Reasons = append(out[i].Reasons, reasonOnWire(r, ids))
		}
	}
	return out, nil
}

func reasonOnWire(r rank.Reason, ids map[uint64]string) *attunev1.Reason {
	w := &attunev1.Reason{Model: r.Model, Share: r.Share, Text: r.Text}
	if r.Event.Type != "" {
		w.EventId, w.EventType, w.ItemId = ids[r.Event.Fingerprint], string(r.Event.Type), r.Event.ItemID
		w.OccurredAt = timestamppb.New(r.Event.At)
	}
	return w
}
