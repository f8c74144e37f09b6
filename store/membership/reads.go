package membership

import (
	"sync"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/segment"
)

// maxTypes bounds the types of events that are remembered of an edition.
const maxTypes = 1_000

// reads tells which segments of an edition an event of a type may move.
type reads struct {
	mu      sync.Mutex
	edition *Edition
	types   map[event.Type]bits
	// strangers are the segments of those who did nothing that the rule reads: whoever is seen
	// for the first time is in them, whatever that was.
	strangers bits
}

// of returns the segments whose rules read events of a type, and those of strangers.
func (r *reads) of(e *Edition, t event.Type) (which, strangers bits) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.edition != e {
		r.edition, r.types, r.strangers = e, map[event.Type]bits{}, newBits(len(e.Rules))
		for i, rule := range e.Rules {
			if rule != nil && isStranger(rule) {
				r.strangers.set(i)
			}
		}
	}
	which, known := r.types[t]
	if !known {
		which = newBits(len(e.Rules))
		for i, rule := range e.Rules {
			if rule != nil && rule.Reads().Types(t) {
				which.set(i)
			}
		}
		if len(r.types) < maxTypes {
			r.types[t] = which
		}
	}
	return which, r.strangers
}

// isStranger tells whether a rule may be true of somebody who did nothing that it reads.
func isStranger(rule *segment.Rule) bool {
	nobody := &segment.Subject{State: &feature.State{}, Now: time.Unix(0, 0).UTC()}
	is, until, err := rule.Evaluate(nobody)
	return err == nil && (is || !until.IsZero())
}
