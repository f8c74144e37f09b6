package cf

import (
	"slices"

	"github.com/attune-shop/attune/model/dense"
)

// rows is a sparse matrix by rows: row r holds columns[ends[r-1]:ends[r]], strictly
// increasing but in best, with the values beside them.
type rows struct {
	ends    []int64
	columns []int32
	values  []float32
	width   int
}

func newRows(n, width int) rows { return rows{ends: make([]int64, n), width: width} }

// close gives rows that were left out the end of the row before.
func (m *rows) close() {
	for r := 1; r < len(m.ends); r++ {
		m.ends[r] = max(m.ends[r], m.ends[r-1])
	}
}

func (m *rows) len() int { return len(m.ends) }

// row returns row r; nothing where there is no such row.
func (m *rows) row(r int32) ([]int32, []float32) {
	if r < 0 || int(r) >= len(m.ends) {
		return nil, nil
	}
	from, to := m.span(r)
	return m.columns[from:to], m.values[from:to]
}

// span is where the columns of row r, which there is, are.
func (m *rows) span(r int32) (from, to int64) {
	if r > 0 {
		from = m.ends[r-1]
	}
	return from, m.ends[r]
}

// fetch asks for row r from memory ahead of its use: rows are short and far from each other.
func (m *rows) fetch(r int32) {
	columns, values := m.row(r)
	dense.Fetch(columns)
	dense.Fetch(values)
}

// at returns the value in row r, column c, 0 where there is none. O(log row).
func (m *rows) at(r, c int32) float32 {
	columns, values := m.row(r)
	if i, ok := slices.BinarySearch(columns, c); ok {
		return values[i]
	}
	return 0
}

// candidates appends row r to all.
func (m *rows) candidates(r int32, all []Candidate) []Candidate {
	columns, values := m.row(r)
	all = slices.Grow(all, len(columns))
	for i, c := range columns {
		all = append(all, Candidate{Item: c, Score: values[i]})
	}
	return all
}

// best returns a matrix of the n greatest values of each row, in no order. O(entries).
func (m *rows) best(n int) rows {
	kept := newRows(len(m.ends), m.width)
	entries := min(len(m.columns), n*len(m.ends))
	kept.columns, kept.values = make([]int32, 0, entries), make([]float32, 0, entries)
	var all []Candidate
	for r := range m.ends {
		all = m.candidates(int32(r), all[:0])
		for _, c := range keepBest(all, n) {
			kept.columns, kept.values = append(kept.columns, c.Item), append(kept.values, c.Score)
		}
		kept.ends[r] = int64(len(kept.columns))
	}
	return kept
}

// transpose returns the matrix by columns. O(entries).
func (m *rows) transpose() rows {
	t := rows{
		ends:    make([]int64, m.width),
		columns: make([]int32, len(m.columns)),
		values:  make([]float32, len(m.values)),
		width:   len(m.ends),
	}
	for _, c := range m.columns {
		t.ends[c]++
	}
	next := make([]int64, m.width)
	var sum int64
	for c := range t.ends {
		next[c] = sum
		sum += t.ends[c]
		t.ends[c] = sum
	}
	for r := range m.ends {
		columns, values := m.row(int32(r))
		for i, c := range columns {
			t.columns[next[c]], t.values[next[c]] = int32(r), values[i]
			next[c]++
		}
	}
	return t
}

// join puts rows together that were made one by one.
func join(parts [][]Candidate, width int) rows {
	m := newRows(len(parts), width)
	total := 0
	for r, part := range parts {
		total += len(part)
		m.ends[r] = int64(total)
	}
	m.columns = make([]int32, 0, total)
	m.values = make([]float32, 0, total)
	for _, part := range parts {
		for _, c := range part {
			m.columns = append(m.columns, c.Item)
			m.values = append(m.values, c.Score)
		}
	}
	return m
}

// positive tells whether every value is above 0.
func (m *rows) positive() bool {
	for _, x := range m.values {
		if !(x > 0) {
			return false
		}
	}
	return true
}
