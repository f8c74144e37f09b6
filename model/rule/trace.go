package rule

import (
	"math"
	"time"
)

// ForGood stands for no time at all, in microseconds since 1970: what holds until then holds for good.
const ForGood = math.MaxInt64

// Trace notes until when what an evaluation read keeps its value while nothing of the user changes.
// Whoever reads something that changes with time alone tells it, so the answer holds until the least
// of that: until then each read is the same, so the evaluation takes the same way to the same answer.
// What a short-circuit left out was not read, and is not needed.
type Trace struct{ until int64 }

// Start forgets what was noted.
func (t *Trace) Start() { t.until = ForGood }

// Hold notes that something that was read keeps its value until a time, in microseconds since 1970.
// A nil Trace takes no notes.
func (t *Trace) Hold(until int64) {
	if t != nil && until < t.until {
		t.until = until
	}
}

// Until returns the least that was noted since Start; the zero time where that is nothing.
func (t *Trace) Until() time.Time {
	if t.until == ForGood {
		return time.Time{}
	}
	return time.UnixMicro(t.until).UTC()
}
