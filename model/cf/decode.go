package cf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/cf/spectral"
	"github.com/attune-shop/attune/model/event"
)

// ReadSnapshot reads what WriteTo wrote, and r must end there. It returns
// event.ErrCorrupt where the bytes are damaged, event.ErrNewerVersion where a newer
// version wrote them, and r's own error where reading fails. It allocates in proportion to
// the bytes that r holds, whatever they claim.
func ReadSnapshot(r io.Reader) (*Snapshot, error) {
	d := &decoder{r: bufio.NewReaderSize(r, 1<<16), digest: xxhash.New()}
	s, err := d.snapshot()
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return s.derive(), nil
}

func corrupt(what string) error { return fmt.Errorf("%s: %w", what, event.ErrCorrupt) }

// decoder reads until the first error.
type decoder struct {
	r       *bufio.Reader
	digest  *xxhash.Digest
	version uint16
	buffer  [1 << 12]byte
}

func (d *decoder) snapshot() (*Snapshot, error) {
	head, err := d.bytes(len(magic) + 2)
	if err != nil {
		return nil, err
	}
	if string(head[:len(magic)]) != magic {
		return nil, corrupt("not a snapshot")
	}
	switch version := binary.LittleEndian.Uint16(head[len(magic):]); {
	case version > formatVersion:
		return nil, fmt.Errorf("version %d: %w", version, event.ErrNewerVersion)
	case version == 0:
		return nil, corrupt("version")
	default:
		d.version = version
	}
	s := &Snapshot{}
	if s.algorithm, err = d.text(64); err != nil {
		return nil, err
	}
	if err := d.settings(s); err != nil {
		return nil, err
	}
	items, err := d.ids(s)
	if err != nil {
		return nil, err
	}
	if s.popular, err = d.floats(int64(items)); err != nil {
		return nil, err
	}
	for _, m := range []*sparse.Rows{&s.similar, &s.together, &s.linear} {
		if *m, err = d.rows(items); err != nil {
			return nil, err
		}
	}
	if err := d.factors(s, items); err != nil {
		return nil, err
	}
	if d.version > 1 {
		if err := d.blend(s, items); err != nil {
			return nil, err
		}
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	return s, s.check()
}

// check tells whether the parts that the algorithm needs are there.
func (s *Snapshot) check() error {
	items := len(s.itemIDs)
	ok := !slices.ContainsFunc(s.popular, func(x float32) bool { return x < 0 })
	ok = ok && s.similar.Len() == items && s.together.Len() == items && s.similar.Positive() && s.together.Positive()
	switch s.algorithm {
	case EASE, Spectral:
		ok = ok && s.linear.Len() == items
	case ALS:
		ok = ok && (s.factors.Cols > 0 || items == 0) && s.penalty.unobserved >= 0 && s.penalty.entry >= 0
	case Blend:
		ok = ok && s.blend != nil && s.blend.check(s)
	case ItemKNN, Popularity:
	default:
		return corrupt("algorithm")
	}
	if !ok {
		return corrupt("parts of " + s.algorithm)
	}
	return nil
}

// settings reads them; version 1 had none, and what it was asked with had been faded.
func (d *decoder) settings(s *Snapshot) error {
	if d.version == 1 {
		s.settings.Fade = 40
		return nil
	}
	x, err := d.floats(9)
	if err != nil {
		return err
	}
	s.settings = Settings{Lambda: float64(x[0]), Dropout: float64(x[1]), Near: float64(x[2]), Debias: float64(x[3]), Fade: x[4]}
	s.settings.Filter = spectral.Filter{Factors: int(x[5]), LowPass: float64(x[6]), Exponent: float64(x[7]), Sharpening: float64(x[8])}
	if !(x[4] >= 0) {
		return corrupt("fade")
	}
	if f := s.settings.Filter.Factors; f < 0 || math.Float32bits(float32(f)) != math.Float32bits(x[5]) {
		return corrupt("factors of a filter")
	}
	return nil
}

func (d *decoder) ids(s *Snapshot) (int, error) {
	n, err := d.number()
	if err != nil {
		return 0, err
	}
	if n > math.MaxInt32 {
		return 0, corrupt("number of items")
	}
	for i := range int(n) {
		id, err := d.text(maxIDBytes)
		if err != nil {
			return 0, err
		}
		if i > 0 && id <= s.itemIDs[i-1] {
			return 0, corrupt("order of item ids")
		}
		s.itemIDs = append(s.itemIDs, id)
	}
	return int(n), nil
}

func (d *decoder) rows(items int) (sparse.Rows, error) {
	n, err := d.number()
	if err != nil {
		return sparse.Rows{}, err
	}
	if n != 0 && int64(n) != int64(items) {
		return sparse.Rows{}, corrupt("number of rows")
	}
	m := sparse.Rows{Width: items}
	var total int64
	for range n {
		length, err := d.number()
		if err != nil {
			return sparse.Rows{}, err
		}
		if int64(length) > int64(items) {
			return sparse.Rows{}, corrupt("length of a row")
		}
		total += int64(length)
		m.Ends = append(m.Ends, total)
	}
	if err := d.numbers(total, func(x uint32) { m.Columns = append(m.Columns, int32(x)) }); err != nil {
		return sparse.Rows{}, err
	}
	if m.Values, err = d.floats(total); err != nil {
		return sparse.Rows{}, err
	}
	for r := range m.Ends {
		last := int32(-1)
		columns, _ := m.Row(int32(r))
		for _, c := range columns {
			if c <= last || int64(c) >= int64(items) {
				return sparse.Rows{}, corrupt("columns of a row")
			}
			last = c
		}
	}
	return m, nil
}

func (d *decoder) factors(s *Snapshot, items int) error {
	rank, err := d.number()
	if err != nil {
		return err
	}
	if rank > maxRank {
		return corrupt("number of factors")
	}
	parameters, err := d.floats(2)
	if err != nil {
		return err
	}
	s.penalty = penalty{unobserved: parameters[0], entry: parameters[1]}
	data, err := d.floats(int64(items) * int64(rank))
	s.factors = blas32.General{Rows: items, Cols: int(rank), Stride: max(int(rank), 1), Data: data}
	return err
}

// end reads the checksum and makes sure that nothing follows.
func (d *decoder) end() error {
	want := d.digest.Sum64()
	sum, err := d.bytes(8)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint64(sum) != want {
		return corrupt("checksum")
	}
	switch _, err := d.r.ReadByte(); {
	case err == nil:
		return corrupt("bytes after the end")
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// bytes returns the next n bytes, at most len(d.buffer), valid until the next call.
func (d *decoder) bytes(n int) ([]byte, error) {
	b := d.buffer[:n]
	if _, err := io.ReadFull(d.r, b); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, corrupt("cut short")
		}
		return nil, err
	}
	_, _ = d.digest.Write(b) // a Digest never fails
	return b, nil
}

func (d *decoder) number() (uint32, error) {
	b, err := d.bytes(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (d *decoder) text(limit uint32) (string, error) {
	n, err := d.number()
	if err != nil {
		return "", err
	}
	if n > limit {
		return "", corrupt("length of a text")
	}
	b, err := d.bytes(int(n))
	return string(b), err
}

// numbers calls fn for each of the next n numbers.
func (d *decoder) numbers(n int64, fn func(uint32)) error {
	for n > 0 {
		b, err := d.bytes(int(min(4*n, int64(len(d.buffer)))))
		if err != nil {
			return err
		}
		for ; len(b) > 0; b = b[4:] {
			fn(binary.LittleEndian.Uint32(b))
			n--
		}
	}
	return nil
}

// floats returns the next n numbers, all finite.
func (d *decoder) floats(n int64) ([]float32, error) {
	var all []float32
	finite := true
	err := d.numbers(n, func(bits uint32) {
		x := math.Float32frombits(bits)
		finite = finite && x-x == 0
		all = append(all, x)
	})
	if err == nil && !finite {
		err = corrupt("a number that is not finite")
	}
	return all, err
}
