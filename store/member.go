package store

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/attune-shop/attune/model/event"
)

// Moves returns the segments that a user is a member of now and was not before, and those that
// it is not any more.
func (c *MemberChange) Moves() (entered, left []uint32) {
	was, now := c.Was, c.Now.Segments
	for len(was) > 0 || len(now) > 0 {
		switch {
		case len(now) == 0 || len(was) > 0 && was[0] < now[0]:
			left, was = append(left, was[0]), was[1:]
		case len(was) == 0 || now[0] < was[0]:
			entered, now = append(entered, now[0]), now[1:]
		default:
			was, now = was[1:], now[1:]
		}
	}
	return entered, left
}

// CheckMembers tells what a call of PutMembers has that its contract does not allow: a mistake
// of the program, which some stores would take and others not.
func CheckMembers(stamp uint64, changes []MemberChange) error {
	if stamp > MaxStamp {
		return fmt.Errorf("a stamp of %d, above %d", stamp, uint64(MaxStamp))
	}
	for i := range changes {
		for _, segments := range [][]uint32{changes[i].Was, changes[i].Now.Segments} {
			for j := 1; j < len(segments); j++ {
				if segments[j-1] >= segments[j] {
					return fmt.Errorf("segments of %q are not in ascending order: %d, %d", changes[i].Now.UserID, segments[j-1], segments[j])
				}
			}
		}
	}
	return nil
}

// Nothing tells whether there is nothing to be kept of the user.
func (m *Member) Nothing() bool { return len(m.Segments) == 0 && m.Due.IsZero() }

// What is published of a user is stored as: format version, the time of the next timer, and of
// each segment by how much its number is greater than that of the one before. The time is 0 for
// none, else the milliseconds since 1970 as binary.PutVarint counts, and 1 more. Its user is in
// the key of it.
const memberVersion = 1

// Append appends the binary form of what is published of a user, but for its id.
func (m *Member) Append(dst []byte) []byte {
	dst = append(dst, memberVersion)
	due := uint64(0)
	if !m.Due.IsZero() {
		ms := m.Due.UnixMilli()
		due = 1 + uint64(ms<<1^ms>>63)
	}
	dst = binary.AppendUvarint(dst, due)
	last := uint32(0)
	for _, segment := range m.Segments {
		dst = binary.AppendUvarint(dst, uint64(segment-last))
		last = segment
	}
	return dst
}

// DecodeMember reads what Append wrote. Errors: event.ErrCorrupt, event.ErrNewerVersion.
func DecodeMember(userID string, data []byte) (Member, error) {
	m := Member{UserID: userID}
	damaged := func() (Member, error) {
		return Member{UserID: userID}, fmt.Errorf("segments of a user: %w", event.ErrCorrupt)
	}
	switch {
	case len(data) == 0 || data[0] == 0:
		return damaged()
	case data[0] > memberVersion:
		return m, fmt.Errorf("segments of a user in version %d: %w", data[0], event.ErrNewerVersion)
	}
	due, size := binary.Uvarint(data[1:])
	if size <= 0 {
		return damaged()
	}
	if due > 0 {
		m.Due = time.UnixMilli(int64((due-1)>>1) ^ -int64((due-1)&1)).UTC()
	}
	rest := data[1+size:]
	// Most numbers are less than 128 greater than the one before: a byte each.
	m.Segments = slices.Grow(m.Segments, len(rest))
	last := uint64(0)
	for len(rest) > 0 {
		more, size := binary.Uvarint(rest)
		if size <= 0 || more > 1<<32 || more == 0 && len(m.Segments) > 0 {
			return damaged()
		}
		if last += more; last >= 1<<32 {
			return damaged()
		}
		m.Segments = append(m.Segments, uint32(last))
		rest = rest[size:]
	}
	return m, nil
}
