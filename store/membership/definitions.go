package membership

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/segment"
)

// MaxSegments bounds the segments of a shop: each is looked at with the events that it reads.
const MaxSegments = 1_000

// Segment is the definition of one segment.
type Segment struct {
	ID          string `json:"id"`
	DisplayName string `json:"display_name,omitempty"`
	Description string `json:"description,omitempty"`
	Rule        string `json:"rule"`
	// Number stands for the segment in what is stored of its members. It is never used twice,
	// so a segment that is made again under the same id has nothing of the one before.
	Number uint32 `json:"number"`
	// Revision counts the rules that the segment has had, from 1 on.
	Revision  uint32    `json:"revision"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Definitions are what an operator has set up, stored as one register.
type Definitions struct {
	Version int `json:"version"`
	// Segments are in the order of ids.
	Segments []Segment `json:"segments"`
	// LastNumber is the greatest that was ever given to a segment.
	LastNumber uint32 `json:"last_number"`
	// Dropped are the numbers of deleted segments of which something may be stored yet.
	Dropped []uint32 `json:"dropped,omitempty"`
	// Scale is what rfm goes by, and ScaleRevision counts the scales that were set.
	Scale         segment.Scale `json:"scale"`
	ScaleRevision uint32        `json:"scale_revision"`
}

// Form implements register.Formed.
func (d *Definitions) Form() *int { return &d.Version }

// complete gives a shop that has set up nothing its scale.
func (d *Definitions) complete() {
	if d.Version == 0 {
		d.Scale = segment.DefaultScale()
	}
}

// find returns the place of a segment, and whether it is there.
func (d *Definitions) find(id string) (int, bool) {
	return slices.BinarySearchFunc(d.Segments, id, func(s Segment, id string) int { return cmp.Compare(s.ID, id) })
}

// Add adds a segment, to which it gives a number. Its errors are event.ErrExists
// and, where there are MaxSegments already, an *event.InvalidError.
func (d *Definitions) Add(s Segment) error {
	at, found := d.find(s.ID)
	if found {
		return fmt.Errorf("segment %q: %w", s.ID, event.ErrExists)
	}
	if len(d.Segments) >= MaxSegments {
		return event.Invalid("segment_id", "a shop has at most %d segments", MaxSegments)
	}
	d.LastNumber++
	s.Number, s.Revision = d.LastNumber, 1
	d.Segments = slices.Insert(d.Segments, at, s)
	return nil
}

// Update changes a segment, or returns event.ErrNotFound. Where the rule is another than before
// the revision is the next.
func (d *Definitions) Update(id string, change func(*Segment)) error {
	at, found := d.find(id)
	if !found {
		return fmt.Errorf("segment %q: %w", id, event.ErrNotFound)
	}
	s := &d.Segments[at]
	before := *s
	change(s)
	s.ID, s.Number, s.Revision = before.ID, before.Number, before.Revision
	if s.Rule != before.Rule {
		s.Revision++
	}
	return nil
}

// Remove removes a segment, or returns event.ErrNotFound.
func (d *Definitions) Remove(id string) error {
	at, found := d.find(id)
	if !found {
		return fmt.Errorf("segment %q: %w", id, event.ErrNotFound)
	}
	d.Dropped = append(d.Dropped, d.Segments[at].Number)
	d.Segments = slices.Delete(d.Segments, at, at+1)
	return nil
}

// SetScale sets another scale.
func (d *Definitions) SetScale(s segment.Scale) {
	d.Scale = s
	d.ScaleRevision++
}
