package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/membership"
)

const (
	// A delivery ends with so many changes, or with the change that makes it so long.
	maxChanges, maxBodyBytes = 500, 256 << 10
	// maxRows bounds the rows that are read for one.
	maxRows = 500
)

// sentChange is a change as a receiver reads it.
type sentChange struct {
	SegmentID  string    `json:"segment_id"`
	UserID     string    `json:"user_id"`
	Type       string    `json:"type"`
	OccurredAt time.Time `json:"occurred_at"`
}

// The types of changes.
const entered, left = "ENTERED", "LEFT"

// delivery is the body of a delivery.
type delivery struct {
	ID        string       `json:"delivery_id"`
	WebhookID string       `json:"webhook_id"`
	Changes   []sentChange `json:"changes"`
	Test      bool         `json:"test,omitempty"`
}

// body returns the JSON of a delivery: the same bytes for the same delivery.
func (d *delivery) body() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(d); err != nil {
		return nil, fmt.Errorf("delivery: %w", err)
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

// deliveryID returns the id of a range of changes: the same for each try, also of another process.
func deliveryID(h *hook, shard int, from, to place) string {
	what := fmt.Sprintf("%s %d %d %d+%d %d+%d", h.Nonce, h.Revision, shard, from.Seq, from.Skip, to.Seq, to.Skip)
	sum := sha256.Sum256([]byte(what))
	return "dlv_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:26])
}

var errEnough = errors.New("enough")

// collector takes the changes of a webhook out of the rows of a shard.
type collector struct {
	book   *membership.Book
	reader *membership.Reader
	hook   *hook
	// names are the ids of the segments whose changes are sent, by number, of an edition.
	names   map[uint32]string
	edition *membership.Edition
}

// segment returns the id of the segment of a number, "" where its changes are not sent: it is
// deleted, or not one of the webhook's.
func (c *collector) segment(ctx context.Context, number uint32) (string, error) {
	if number > c.book.Current().LastNumber { // another process has defined it a moment ago
		if err := c.book.Refresh(ctx); err != nil {
			return "", err
		}
	}
	if now := c.book.Current(); now != c.edition {
		listed := map[string]bool{}
		for _, id := range c.hook.SegmentIDs {
			listed[id] = true
		}
		c.edition, c.names = now, map[uint32]string{}
		for i := range now.Segments {
			if id := now.Segments[i].ID; len(listed) == 0 || listed[id] {
				c.names[now.Segments[i].Number] = id
			}
		}
	}
	return c.names[number], nil
}

// collect returns the changes after a place and the place after them, which is until where that is
// given. Without changes everything up to the place is of no interest.
func (c *collector) collect(ctx context.Context, shard int, after place, until *place) (changes []sentChange, reached place, err error) {
	reached = after
	size, rows := 0, 0
	err = c.reader.Rows(ctx, shard, after.Seq+1, func(seq store.Seq, at time.Time, moves []membership.Move) error {
		if until != nil && reached == *until {
			return errEnough
		}
		if seq != reached.Seq+1 {
			return errGap
		}
		for ; reached.Skip < len(moves); reached.Skip++ {
			if until != nil && reached == *until || until == nil && (len(changes) >= maxChanges || size >= maxBodyBytes) {
				return errEnough
			}
			move := &moves[reached.Skip]
			id, err := c.segment(ctx, move.Segment)
			if err != nil {
				return err
			}
			if id == "" {
				continue
			}
			change := sentChange{SegmentID: id, UserID: move.UserID, Type: left, OccurredAt: at}
			if move.Entered {
				change.Type = entered
			}
			changes, size = append(changes, change), size+len(id)+len(move.UserID)+100
		}
		reached = place{Seq: seq}
		if rows++; until == nil && rows >= maxRows {
			return errEnough
		}
		return ctx.Err()
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err == nil && until != nil && reached != *until {
		err = errGap
	}
	return changes, reached, err
}

// errGap says that rows are not kept any more.
var errGap = errors.New("changes are not kept any more")
