// Package sparse holds rows of numbers most of which are 0, and adds them up: the matrices that models
// are learned from and made of (Rows), sums over the rows of one item in a fit (Sums) and of one
// visitor in a request (Tally), and which of many are the best (KeepBest, Strongest).
package sparse

import (
	"slices"

	"github.com/attune-shop/attune/model/dense"
)

// Rows is a sparse matrix by rows: row r holds Columns[Ends[r-1]:Ends[r]], strictly increasing but
// in Best, with the Values beside them.
type Rows struct {
	Ends    []int64
	Columns []int32
	Values  []float32
	// Width is the number of columns of the matrix.
	Width int
}

// NewRows returns n rows of nothing, to be filled one after the other and then closed.
func NewRows(n, width int) Rows { return Rows{Ends: make([]int64, n), Width: width} }

// Close gives rows that were left out the end of the row before.
func (m *Rows) Close() {
	for r := 1; r < len(m.Ends); r++ {
		m.Ends[r] = max(m.Ends[r], m.Ends[r-1])
	}
}

// Len is the number of rows.
func (m *Rows) Len() int { return len(m.Ends) }

// Row returns row r; nothing where there is no such row.
func (m *Rows) Row(r int32) ([]int32, []float32) {
	if r < 0 || int(r) >= len(m.Ends) {
		return nil, nil
	}
	from, to := m.Span(r)
	return m.Columns[from:to], m.Values[from:to]
}

// Span is where the columns of row r, which there is, are.
func (m *Rows) Span(r int32) (from, to int64) {
	if r > 0 {
		from = m.Ends[r-1]
	}
	return from, m.Ends[r]
}

// Fetch asks for row r from memory ahead of its use: rows are short and far from each other.
func (m *Rows) Fetch(r int32) {
	columns, values := m.Row(r)
	dense.Fetch(columns)
	dense.Fetch(values)
}

// At returns the value in row r, column c, 0 where there is none. O(log row).
func (m *Rows) At(r, c int32) float32 {
	columns, values := m.Row(r)
	if i, ok := slices.BinarySearch(columns, c); ok {
		return values[i]
	}
	return 0
}

// Candidates appends row r to all.
func (m *Rows) Candidates(r int32, all []Candidate) []Candidate {
	columns, values := m.Row(r)
	all = slices.Grow(all, len(columns))
	for i, c := range columns {
		all = append(all, Candidate{Item: c, Score: values[i]})
	}
	return all
}

// Best returns a matrix of the n greatest values of each row, in no order. O(entries).
func (m *Rows) Best(n int) Rows {
	kept := NewRows(len(m.Ends), m.Width)
	entries := min(len(m.Columns), n*len(m.Ends))
	kept.Columns, kept.Values = make([]int32, 0, entries), make([]float32, 0, entries)
	var all []Candidate
	for r := range m.Ends {
		all = m.Candidates(int32(r), all[:0])
		for _, c := range KeepBest(all, n) {
			kept.Columns, kept.Values = append(kept.Columns, c.Item), append(kept.Values, c.Score)
		}
		kept.Ends[r] = int64(len(kept.Columns))
	}
	return kept
}

// Transpose returns the matrix by columns. O(entries).
func (m *Rows) Transpose() Rows {
	t := Rows{
		Ends:    make([]int64, m.Width),
		Columns: make([]int32, len(m.Columns)),
		Values:  make([]float32, len(m.Values)),
		Width:   len(m.Ends),
	}
	for _, c := range m.Columns {
		t.Ends[c]++
	}
	next := make([]int64, m.Width)
	var sum int64
	for c := range t.Ends {
		next[c] = sum
		sum += t.Ends[c]
		t.Ends[c] = sum
	}
	for r := range m.Ends {
		columns, values := m.Row(int32(r))
		for i, c := range columns {
			t.Columns[next[c]], t.Values[next[c]] = int32(r), values[i]
			next[c]++
		}
	}
	return t
}

// Join puts rows together that were made one by one.
func Join(parts [][]Candidate, width int) Rows {
	m := NewRows(len(parts), width)
	total := 0
	for r, part := range parts {
		total += len(part)
		m.Ends[r] = int64(total)
	}
	m.Columns = make([]int32, 0, total)
	m.Values = make([]float32, 0, total)
	for _, part := range parts {
		for _, c := range part {
			m.Columns = append(m.Columns, c.Item)
			m.Values = append(m.Values, c.Score)
		}
	}
	return m
}

// Positive tells whether every value is above 0.
func (m *Rows) Positive() bool {
	for _, x := range m.Values {
		if !(x > 0) {
			return false
		}
	}
	return true
}
