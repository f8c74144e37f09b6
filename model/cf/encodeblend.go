package cf

import "github.com/attune-shop/attune/model/cf/sequence"

// The binary form of a blend, within that of encode.go:
//
//	base        number uint32, 0 for none; each name: length uint32, bytes
//	shares      number uint32, of the parts; all float32
//	weights     number of features uint32; situationSize x features float32
//	sequence    1 uint32, or 0 for none, and then:
//	visits      number uint32; each one's length uint32; each one's start uint32, none before the
//	            one before; all items uint32
//	moves       as rows, for each of sequence.Stored
//
// Memories are made of visits again: other counts, moves or memories in package sequence are another
// version of the form.

func (e *encoder) blend(b *blend) {
	if b == nil {
		b = &blend{}
	}
	e.number(uint32(len(b.base)))
	for _, name := range b.base {
		e.text(name)
	}
	e.number(uint32(len(b.shares)))
	e.floats(b.shares)
	e.number(uint32(len(b.weights[0])))
	for _, row := range b.weights {
		e.floats(row)
	}
	if b.sequence == nil {
		e.number(0)
		return
	}
	e.number(1)
	e.visits(&b.sequence.Visits)
	for k := range b.sequence.Moves {
		e.rows(&b.sequence.Moves[k].Rows)
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

func (e *encoder) visits(v *sequence.Visits) {
	e.number(uint32(v.Len()))
	e.lengths(v.Ends)
	for _, start := range v.Starts {
		e.number(start)
	}
	for _, x := range v.Items {
		e.number(uint32(x))
	}
}

// maxFeatures bounds what a reader takes for possible.
const maxFeatures = 256

func (d *decoder) blend(s *Snapshot, items int) error {
	b := &blend{}
	bases, err := d.number()
	if err != nil {
		return err
	}
	if bases > maxFeatures {
		return corrupt("parts of a blend")
	}
	for range bases {
		name, err := d.text(64)
		if err != nil {
			return err
		}
		b.base = append(b.base, name)
	}
	if b.shares, err = d.few(); err != nil {
		return err
	}
	width, err := d.number()
	if err != nil {
		return err
	}
	if width > maxFeatures {
		return corrupt("features of a blend")
	}
	for k := range b.weights {
		if b.weights[k], err = d.floats(int64(width)); err != nil {
			return err
		}
	}
	sequenced, err := d.number()
	if err != nil {
		return err
	}
	switch sequenced {
	case 0:
	case 1:
		if b.sequence, err = d.sequence(items); err != nil {
			return err
		}
	default:
		return corrupt("sequence")
	}
	if s.algorithm == Blend {
		s.blend = b
		return nil
	}
	if len(b.base)+len(b.shares)+int(width) > 0 || b.sequence != nil {
		return corrupt("a blend beside " + s.algorithm)
	}
	return nil
}

// few reads a number, and so many more.
func (d *decoder) few() ([]float32, error) {
	n, err := d.number()
	if err != nil {
		return nil, err
	}
	if n > maxFeatures {
		return nil, corrupt("parts of a blend")
	}
	return d.floats(int64(n))
}

func (d *decoder) sequence(items int) (*sequence.Model, error) {
	v, err := d.visits(items)
	if err != nil {
		return nil, err
	}
	var counted []sequence.Moves
	for range sequence.Stored {
		m, err := d.rows(items)
		if err != nil {
			return nil, err
		}
		if m.Len() != items || !m.Positive() {
			return nil, corrupt("moves")
		}
		counted = append(counted, sequence.Moves{Rows: m})
	}
	return sequence.New(v, counted, items), nil
}

// check tells whether a blend has what its parts need.
func (b *blend) check(s *Snapshot) bool {
	ok := len(b.shares) == b.parts() && len(b.weights[0]) == b.features()
	for _, name := range b.base {
		switch name {
		case EASE, Spectral:
			ok = ok && s.linear.Len() == len(s.itemIDs)
		case ALS:
			ok = ok && (s.factors.Cols > 0 || len(s.itemIDs) == 0)
		case ItemKNN:
		default:
			return false
		}
	}
	for _, x := range b.shares {
		ok = ok && x >= 0
	}
	return ok
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

func (d *decoder) visits(items int) (v sequence.Visits, err error) {
	n, err := d.number()
	if err != nil {
		return v, err
	}
	var total int64
	if v.Ends, total, err = d.lengths(int64(n), 1, sequence.MaxVisit, "length of a visit"); err != nil {
		return v, err
	}
	if total > sequence.MaxClicks {
		return v, corrupt("number of interactions")
	}
	ok, last := true, uint32(0)
	err = d.numbers(int64(n), func(start uint32) {
		ok, last = ok && start >= last, start
		v.Starts = append(v.Starts, start)
	})
	if err == nil && !ok {
		err = corrupt("order of visits")
	}
	if err == nil {
		v.Items, err = d.columns(v.Ends, items, false, "items of a visit")
	}
	return v, err
}
