package cf

import (
	"encoding/binary"
	"math"
)

// The binary form of the parts of a sequence, beside that of encode.go:
//
//	visits      number uint32; each one's length uint32; each one's start uint32, none before the
//	            one before; all items uint32
//	after       for each item the number of its pairs uint32; all seconds uint32, increasing for
//	            an item; each pair's length uint32; all columns uint32, increasing for a pair; all
//	            values float32
//	recall      decay float64; future float64; power uint32; moments uint32; visits
//
// moves are rows.

// maxPower and maxMoments bound what a reader takes for possible.
const (
	maxPower   = 64
	maxMoments = 1 << 20
)

func (e *encoder) numbers(all []int32) {
	for _, x := range all {
		e.number(uint32(x))
	}
}

// lengths writes the differences of ends.
func (e *encoder) lengths(ends []int64) {
	var from int64
	for _, end := range ends {
		e.number(uint32(end - from))
		from = end
	}
}

func (e *encoder) double(x float64) {
	e.bytes(binary.LittleEndian.AppendUint64(nil, math.Float64bits(x)))
}

func (e *encoder) visits(v *visits) {
	e.number(uint32(v.len()))
	e.lengths(v.ends)
	for _, start := range v.starts {
		e.number(start)
	}
	e.numbers(v.items)
}

func (e *encoder) after(m *after) {
	e.lengths(m.ends)
	e.numbers(m.seconds)
	e.lengths(m.next.ends)
	e.numbers(m.next.columns)
	e.floats(m.next.values)
}

func (e *encoder) recall(m *recall) {
	e.double(m.decay)
	e.double(m.future)
	e.number(uint32(m.power))
	e.number(uint32(m.moments))
	e.visits(&m.visits)
}

// lengths reads n lengths of least to most each, and returns where they end; nil where n is 0.
func (d *decoder) lengths(n int64, least, most uint32, what string) (ends []int64, total int64, err error) {
	ok := true
	err = d.numbers(n, func(length uint32) {
		ok = ok && length >= least && length <= most
		total += int64(length)
		ends = append(ends, total)
	})
	if err == nil && !ok {
		err = corrupt(what)
	}
	return ends, total, err
}

// columns reads the items of rows that end there, each below items; increasing in each row where
// increase says so.
func (d *decoder) columns(ends []int64, items int, increase bool, what string) (all []int32, err error) {
	var total int64
	if len(ends) > 0 {
		total = ends[len(ends)-1]
	}
	ok := true
	err = d.numbers(total, func(x uint32) {
		ok = ok && uint64(x) < uint64(items)
		all = append(all, int32(x))
	})
	var from int64
	for _, end := range ends {
		if err != nil || !increase {
			break
		}
		for k := from + 1; k < end; k++ {
			ok = ok && all[k-1] < all[k]
		}
		from = end
	}
	if err == nil && !ok {
		err = corrupt(what)
	}
	return all, err
}

func (d *decoder) visits(items int) (v visits, err error) {
	n, err := d.number()
	if err != nil {
		return v, err
	}
	var total int64
	if v.ends, total, err = d.lengths(int64(n), 1, maxVisit, "length of a visit"); err != nil {
		return v, err
	}
	if total > maxClicks {
		return v, corrupt("number of interactions")
	}
	ok, last := true, uint32(0)
	err = d.numbers(int64(n), func(start uint32) {
		ok, last = ok && start >= last, start
		v.starts = append(v.starts, start)
	})
	if err == nil && !ok {
		err = corrupt("order of visits")
	}
	if err == nil {
		v.items, err = d.columns(v.ends, items, false, "items of a visit")
	}
	return v, err
}

func (d *decoder) after(items int) (m after, err error) {
	var pairs, total int64
	if m.ends, pairs, err = d.lengths(int64(items), 0, uint32(items), "number of pairs"); err != nil {
		return m, err
	}
	if pairs > maxClicks {
		return m, corrupt("number of pairs")
	}
	if m.seconds, err = d.columns(m.ends, items, true, "pairs"); err != nil {
		return m, err
	}
	m.next.width = items
	if m.next.ends, total, err = d.lengths(pairs, 1, afterWidth, "length of a pair's row"); err != nil {
		return m, err
	}
	if m.next.columns, err = d.columns(m.next.ends, items, true, "columns of a pair's row"); err != nil {
		return m, err
	}
	if m.next.values, err = d.floats(total); err == nil && !m.next.positive() {
		err = corrupt("a chance that is not above 0")
	}
	return m, err
}

// recall reads what is stored; index derives the rest.
func (d *decoder) recall(items int) (recall, error) {
	var m recall
	b, err := d.bytes(24)
	if err != nil {
		return m, err
	}
	m.decay = math.Float64frombits(binary.LittleEndian.Uint64(b))
	m.future = math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))
	many, moments := binary.LittleEndian.Uint32(b[16:]), binary.LittleEndian.Uint32(b[20:])
	if !(m.decay > 0) || !(m.future > 0) || many > maxPower || moments > maxMoments {
		return m, corrupt("how moments are remembered")
	}
	m.power, m.moments = int(many), int(moments)
	if m.visits, err = d.visits(items); err != nil {
		return m, err
	}
	m.index(items)
	return m, nil
}
