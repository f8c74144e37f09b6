package trend

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	numbers := map[text]uint32{}
	for _, s := range []*series{&c.hours, &c.days} {
		for _, b := range s.buckets {
			for e := range b {
				numbers[e.kind], numbers[e.item] = 0, 0
			}
		}
	}
	texts := slices.SortedFunc(maps.Keys(numbers), func(a, b text) int { return strings.Compare(c.texts[a], c.texts[b]) })
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, uint64(len(texts)))
	for i, t := range texts {
		numbers[t] = uint32(i)
		dst = binary.AppendUvarint(dst, uint64(len(c.texts[t])))
		dst = append(dst, c.texts[t]...)
	}
	dst = binary.AppendUvarint(dst, c.changes)
	dst = c.hours.append(dst, numbers)
	return c.days.append(dst, numbers)
}

func (s *series) append(dst []byte, numbers map[text]uint32) []byte {
	dst = binary.AppendVarint(dst, s.newest)
	dst = binary.AppendUvarint(dst, uint64(len(s.buckets)))
	type numbered struct {
		kind, item uint32
		count      int64
	}
	var entries []numbered
	for _, start := range slices.Sorted(maps.Keys(s.buckets)) {
		entries = entries[:0]
		for e, count := range s.buckets[start] {
			entries = append(entries, numbered{numbers[e.kind], numbers[e.item], count})
		}
		slices.SortFunc(entries, func(a, b numbered) int {
			return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.item, b.item))
		})
		dst = binary.AppendVarint(dst, start)
		dst = binary.AppendUvarint(dst, uint64(len(entries)))
		for _, e := range entries {
			dst = binary.AppendUvarint(dst, uint64(e.kind))
			dst = binary.AppendUvarint(dst, uint64(e.item))
			dst = binary.AppendUvarint(dst, uint64(e.count))
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
	names := r.texts()
	c := &Counters{changes: r.uint(), texts: make(map[text]string, len(names))}
	texts := make([]text, len(names))
	for i, name := range names {
		texts[i] = textOf(name)
		c.texts[texts[i]] = name
	}
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

func (r *reader) series(texts []text, kept int64, entries int) series {
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

func (r *reader) bucket(texts []text, entries int) bucket {
	n := r.count(entries)
	b := make(bucket, n)
	var lastKind, lastItem uint64
	for i := range n {
		kind, item, count := r.uint(), r.uint(), r.uint()
		if kind >= uint64(len(texts)) || item >= uint64(len(texts)) || count == 0 || count > maxCount {
			r.bad = true
		}
		if r.bad {
			return nil
		}
		if texts[item] == textOf("") || i > 0 && (kind < lastKind || kind == lastKind && item <= lastItem) {
			r.bad = true
			return nil
		}
		b[entry{texts[kind], texts[item]}] = int64(count)
		lastKind, lastItem = kind, item
	}
	return b
}
