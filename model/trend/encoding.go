package trend

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/attune-shop/attune/model/event"
)

// The binary form, all numbers as varints:
//
//	version byte
//	texts: count, then each with its length; strictly ascending
//	changes
//	hours, then days: newest start (signed), buckets; each bucket: start (signed, strictly
//	ascending), entries; each entry: type and item as numbers of texts, count; strictly
//	ascending by (type, item)
const version = 1

// Append appends the binary form of the counters. Equal counters give equal bytes.
func (c *Counters) Append(dst []byte) []byte {
	names := map[string]uint64{}
	for _, s := range []*series{&c.hours, &c.days} {
		for _, b := range s.buckets {
			for e := range b {
				names[string(e.kind)], names[e.item] = 0, 0
			}
		}
	}
	texts := make([]string, 0, len(names))
	for t := range names {
		texts = append(texts, t)
	}
	slices.Sort(texts)
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, uint64(len(texts)))
	for i, t := range texts {
		names[t] = uint64(i)
		dst = binary.AppendUvarint(dst, uint64(len(t)))
		dst = append(dst, t...)
	}
	dst = binary.AppendUvarint(dst, c.changes)
	dst = c.hours.append(dst, names)
	return c.days.append(dst, names)
}

func (s *series) append(dst []byte, names map[string]uint64) []byte {
	dst = binary.AppendVarint(dst, s.newest)
	dst = binary.AppendUvarint(dst, uint64(len(s.buckets)))
	starts := make([]int64, 0, len(s.buckets))
	for start := range s.buckets {
		starts = append(starts, start)
	}
	slices.Sort(starts)
	for _, start := range starts {
		b := s.buckets[start]
		dst = binary.AppendVarint(dst, start)
		dst = binary.AppendUvarint(dst, uint64(len(b)))
		for _, e := range b.sorted() {
			dst = binary.AppendUvarint(dst, names[string(e.kind)])
			dst = binary.AppendUvarint(dst, names[e.item])
			dst = binary.AppendUvarint(dst, uint64(b[e]))
		}
	}
	return dst
}

// Decode reads what Append wrote. Its errors wrap event.ErrCorrupt or event.ErrNewerVersion.
func Decode(data []byte) (*Counters, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("trend counters: empty: %w", event.ErrCorrupt)
	}
	if data[0] > version {
		return nil, fmt.Errorf("trend counters: version %d: %w", data[0], event.ErrNewerVersion)
	}
	if data[0] != version {
		return nil, fmt.Errorf("trend counters: version %d: %w", data[0], event.ErrCorrupt)
	}
	r := reader{data: data[1:]}
	texts := r.texts()
	c := &Counters{changes: r.uint()}
	c.hours = r.series(texts, hoursKept, 2*hourEntries)
	c.days = r.series(texts, daysKept, 2*dayEntries)
	if r.bad || len(r.data) > 0 {
		return nil, fmt.Errorf("trend counters: %w", event.ErrCorrupt)
	}
	return c, nil
}

// reader takes values off data; bad says that one was not there or not valid.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[n:]
	return v
}

// count reads a number of things that take at least one byte each.
func (r *reader) count(most int) int {
	n := r.uint()
	if n > uint64(len(r.data)) || n > uint64(most) {
		r.bad, r.data = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) texts() []string {
	texts := make([]string, 0, r.count(1<<30))
	for range cap(texts) {
		size := r.count(1 << 20)
		t := string(r.data[:size])
		r.data = r.data[size:]
		if len(texts) > 0 && t <= texts[len(texts)-1] {
			r.bad = true
		}
		if r.bad {
			return nil
		}
		texts = append(texts, t)
	}
	return texts
}

func (r *reader) series(texts []string, kept int64, entries int) series {
	s := series{newest: r.int()}
	last := int64(0)
	for i := range r.count(int(kept)) {
		start := r.int()
		if start > s.newest || start <= s.newest-kept || i > 0 && start <= last {
			r.bad = true
		}
		b := r.bucket(texts, entries)
		if r.bad {
			return series{}
		}
		if s.buckets == nil {
			s.buckets = map[int64]bucket{}
		}
		s.buckets[start], last = b, start
	}
	return s
}

func (r *reader) bucket(texts []string, entries int) bucket {
	n := r.count(entries)
	b := make(bucket, n)
	var last entry
	for i := range n {
		kind, item, count := r.uint(), r.uint(), r.uint()
		if kind >= uint64(len(texts)) || item >= uint64(len(texts)) || count == 0 || count > maxCount {
			r.bad = true
		}
		if r.bad {
			return nil
		}
		e := entry{event.Type(texts[kind]), texts[item]}
		if e.item == "" || i > 0 && e.compare(last) <= 0 {
			r.bad = true
			return nil
		}
		b[e], last = int64(count), e
	}
	return b
}
