package scylla

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gocql/gocql"

	"github.com/attune-shop/attune/model/event"
)

// TestMistakesAreNoAbsence: what a server refuses for what it says is not tried again, and
// does not count as the server's absence, however often.
func TestMistakesAreNoAbsence(t *testing.T) {
	s := opened(t, freshKeyspace(t))
	for name, statement := range map[string]string{
		"missing table":  `SELECT a FROM nowhere`,
		"missing column": `SELECT nonsense FROM events`,
		"syntax":         `SELEKT`,
		"lacks a key":    `INSERT INTO events (visitor) VALUES ('v')`,
	} {
		for range 6 {
			began := time.Now()
			err := s.exec(t.Context(), statement)
			if err == nil || errors.Is(err, event.ErrUnavailable) || errors.Is(err, event.ErrExhausted) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("%s took %v", name, took)
			}
		}
		query := s.session.Query(statement)
		if err := query.Exec(); err == nil || query.Attempts() > 1 {
			t.Errorf("%s: %d tries, %v", name, query.Attempts(), err)
		}
	}
	if _, err := s.Mark(t.Context(), 0); err != nil {
		t.Errorf("then: %v", err)
	}
	// A table of another that does not let us in is not absence, either.
	if err := translate(fmt.Errorf("query: %w", refusal(gocql.ErrCodeUnauthorized))); errors.Is(err, event.ErrUnavailable) {
		t.Errorf("unauthorized: %v", err)
	}
	if err := translate(fmt.Errorf("query: %w", refusal(gocql.ErrCodeOverloaded))); !errors.Is(err, event.ErrExhausted) {
		t.Errorf("overloaded: %v", err)
	}
	if err := translate(fmt.Errorf("query: %w", refusal(gocql.ErrCodeBootstrapping))); !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("bootstrapping: %v", err)
	}
}

// refusal is an answer of a server that tests cannot bring it to, by its code.
type refusal int

func (r refusal) Error() string { return "refused" }
func (r refusal) GetCode() int  { return int(r) }

// TestTriesOnTheSameNode: where all nodes were tried there are tries left for them.
func TestTriesOnTheSameNode(t *testing.T) {
	s := opened(t, freshKeyspace(t))
	// Three copies of one are more than there are.
	query := s.session.Query(`SELECT mark FROM marks WHERE kind = 'x' AND stream = 0`).Consistency(gocql.Three)
	err := query.Exec()
	if !errors.Is(translate(err), event.ErrUnavailable) || query.Attempts() != tries {
		t.Errorf("%d tries: %v", query.Attempts(), err)
	}
}
