package scylla

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

const (
	// lettersSegment is the number of dead letters of one partition.
	lettersSegment = 256
	// maxLetter bounds the Data of a letter that lies in its row; what is greater is a payload.
	maxLetter = 16 << 10
)

// letterRow is what is stored of a dead letter.
type letterRow struct {
	store.DeadLetter
	// Parts is how many the payload of that letter has, which holds its Data then.
	Parts int `json:",omitempty"`
}

const (
	// putWithin bounds the time in which letters are stored under numbers that were taken
	// for them, and settledAfter is that after which nobody stores any more. They lie far
	// apart, for each process measures by its own clock.
	putWithin    = 10 * time.Minute
	settledAfter = time.Hour
)

// numbering is what the register of dead letters holds.
type numbering struct {
	// Last is the number given last. Numbers are not used again.
	Last int64
	// Settled is a number up to which every letter there will ever be is stored; Settling
	// becomes that when settledAfter has passed since Since.
	Settled, Settling int64
	Since             time.Time
	// Gone is a number up to which every letter was deleted: at most Settled.
	Gone int64
}

// take returns the last of some new numbers.
func (n *numbering) take(count int64, now time.Time) int64 {
	if now.Sub(n.Since) > settledAfter {
		n.Settled, n.Settling, n.Since = n.Settling, n.Last, now
	}
	n.Last += count
	return n.Last
}

// PutRejected implements store.Rejected: the numbers first, then the letters, of a great one
// the payload before the row; what a crash leaves between them is never read. An id is the
// number, as 16 hex digits.
func (s *Store) PutRejected(ctx context.Context, letters []store.DeadLetter) error {
	if len(letters) == 0 {
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, putWithin)
	defer cancel()
	last, err := s.takeNumbers(ctx, int64(len(letters)))
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	writing, inner := errgroup.WithContext(ctx)
	for i, letter := range letters {
		number := last - int64(len(letters)) + 1 + int64(i)
		row := letterRow{DeadLetter: letter}
		row.ID = letterID(number)
		writing.Go(func() (err error) {
			if len(row.Data) > maxLetter {
				row.Parts, err = s.writePayload(inner, letterPayload(row.ID), bytes.NewReader(row.Data), 0)
				if err != nil {
					return errors.Join(err, s.deletePayload(context.WithoutCancel(ctx), letterPayload(row.ID), row.Parts))
				}
				row.Data = nil
			}
			data, err := json.Marshal(row)
			if err != nil {
				return err
			}
			return s.exec(inner, `INSERT INTO letters (segment, number, data) VALUES (?, ?, ?)`, number/lettersSegment, number, data)
		})
	}
	if err := writing.Wait(); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

// takeNumbers takes that many numbers and returns the last of them.
func (s *Store) takeNumbers(ctx context.Context, count int64) (last int64, err error) {
	s.letters.Lock()
	defer s.letters.Unlock()
	err = changeRegister(ctx, s, lettersRegister, func(n *numbering) error {
		last = n.take(count, time.Now().UTC())
		return nil
	})
	return last, err
}

func letterID(number int64) string { return fmt.Sprintf("%016x", number) }

func letterPayload(id string) string { return "letter/" + id }

// numberAfter returns the least number whose id is greater than a text.
func numberAfter(text string) int64 {
	low, high := int64(0), int64(1)<<62
	for low < high {
		if middle := (low + high) / 2; letterID(middle) > text {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

// RejectedLetters implements store.Rejected.
func (s *Store) RejectedLetters(ctx context.Context, after string, limit int) ([]store.DeadLetter, error) {
	var n numbering
	if _, err := s.register(ctx, lettersRegister, &n); err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	var letters []store.DeadLetter
	from := max(numberAfter(after), n.Gone+1)
	last := n.Last / lettersSegment
	for segment := from / lettersSegment; segment <= last && len(letters) < limit; {
		before := len(letters)
		err := read(ctx, s, lettersSegment, func(data *[]byte) []any { return []any{data} }, func(data *[]byte) error {
			if len(letters) == limit {
				return nil
			}
			letter, err := s.letter(ctx, *data)
			if errors.Is(err, event.ErrNotFound) {
				return nil
			}
			letters = append(letters, letter)
			return err
		}, `SELECT data FROM letters WHERE segment = ? AND number >= ?`, segment, from)
		if segment++; err == nil && len(letters) == before {
			segment, err = s.nextLetters(ctx, segment, last)
		}
		if err != nil {
			return nil, fmt.Errorf("dead letters: %w", err)
		}
	}
	if from == n.Gone+1 {
		first := n.Last + 1
		if len(letters) > 0 {
			first, _ = letterNumber(letters[0].ID)
		}
		s.forgetDeleted(ctx, n, first)
	}
	return letters, ctx.Err()
}

// nextLetters returns the first segment of [from, last] that has a letter, else last + 1. It
// looks into many at the same time, for most of a long queue may be deleted.
func (s *Store) nextLetters(ctx context.Context, from, last int64) (int64, error) {
	const atOnce = 64
	for ; from <= last; from += atOnce {
		some := make([]bool, min(atOnce, last-from+1))
		looking, inner := errgroup.WithContext(ctx)
		for i := range some {
			looking.Go(func() error {
				var number int64
				err := s.one(inner, []any{&number}, `SELECT number FROM letters WHERE segment = ? LIMIT 1`, from+int64(i))
				some[i] = err == nil
				if errors.Is(err, event.ErrNotFound) {
					return nil
				}
				return err
			})
		}
		if err := looking.Wait(); err != nil {
			return 0, err
		}
		if i := slices.Index(some, true); i >= 0 {
			return from + int64(i), nil
		}
	}
	return last + 1, nil
}

// forgetDeleted notes that there is no letter before a number, as far as none is on its way,
// so that the next list from the start does not look there again. A few more looks cost
// less than a write, so whole segments are noted only.
func (s *Store) forgetDeleted(ctx context.Context, seen numbering, first int64) {
	gone := min(first-1, seen.Settled)
	if gone < seen.Gone+lettersSegment {
		return
	}
	err := changeRegister(ctx, s, lettersRegister, func(n *numbering) error {
		n.Gone = max(n.Gone, gone)
		return nil
	})
	if err != nil {
		s.options.Logger.Warn("deleted dead letters are looked for again", "error", err)
	}
}

// RejectedLetter implements store.Rejected.
func (s *Store) RejectedLetter(ctx context.Context, id string) (letter store.DeadLetter, err error) {
	if number, ok := letterNumber(id); !ok {
		err = event.ErrNotFound
	} else if data, readErr := s.letterData(ctx, number); readErr != nil {
		err = readErr
	} else {
		letter, err = s.letter(ctx, data)
	}
	if err != nil {
		return letter, fmt.Errorf("dead letter %q: %w", id, err)
	}
	return letter, nil
}

// letterData returns the row of a number, or event.ErrNotFound.
func (s *Store) letterData(ctx context.Context, number int64) (data []byte, err error) {
	err = s.one(ctx, []any{&data}, `SELECT data FROM letters WHERE segment = ? AND number = ?`, number/lettersSegment, number)
	return data, err
}

// letterNumber returns the number that an id is made of.
func letterNumber(id string) (int64, bool) {
	number, err := strconv.ParseInt(id, 16, 64)
	return number, err == nil && letterID(number) == id
}

// DeleteRejected implements store.Rejected.
func (s *Store) DeleteRejected(ctx context.Context, ids []string) error {
	deleting, inner := errgroup.WithContext(ctx)
	for _, id := range ids {
		if number, ok := letterNumber(id); ok {
			deleting.Go(func() error {
				data, err := s.letterData(inner, number)
				if errors.Is(err, event.ErrNotFound) {
					return nil
				}
				if err != nil {
					return err
				}
				err = s.exec(inner, `DELETE FROM letters WHERE segment = ? AND number = ?`, number/lettersSegment, number)
				if row, unread := decodeLetter(data); err == nil && unread == nil {
					err = s.deletePayload(inner, letterPayload(id), row.Parts)
				}
				return err
			})
		}
	}
	if err := deleting.Wait(); err != nil {
		return fmt.Errorf("delete dead letters: %w", err)
	}
	return ctx.Err()
}

// letter returns the dead letter of a row, or event.ErrNotFound where it is deleted meanwhile.
func (s *Store) letter(ctx context.Context, data []byte) (store.DeadLetter, error) {
	row, err := decodeLetter(data)
	if err != nil || row.Parts == 0 {
		return row.DeadLetter, err
	}
	row.Data, err = io.ReadAll(s.openPayload(ctx, letterPayload(row.ID), row.Parts))
	if !errors.Is(err, event.ErrCorrupt) {
		return row.DeadLetter, err
	}
	if number, ok := letterNumber(row.ID); ok {
		if _, gone := s.letterData(ctx, number); errors.Is(gone, event.ErrNotFound) {
			err = gone
		}
	}
	return row.DeadLetter, err
}

func decodeLetter(data []byte) (row letterRow, err error) {
	if err = json.Unmarshal(data, &row); err != nil {
		return letterRow{}, fmt.Errorf("dead letter: %w: %w", event.ErrCorrupt, err)
	}
	return row, nil
}
