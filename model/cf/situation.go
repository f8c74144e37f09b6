package cf

import (
	"slices"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/dense"
)

// lengths are the lengths of a history from which on a blend weighs its features otherwise.
var lengths = [...]int{2, 3, 4, 6, 10, 20}

// The numbers of a situation: 1, an indicator for each of lengths, of which the greatest that the
// history reaches is 1, then these.
const (
	// situationSupport is how well the newest item is known: log(1 + popularity) / 3 - 1, about
	// -1 to 2.
	situationSupport = 1 + len(lengths)
	// situationAgain says that the newest item was in the trail before.
	situationAgain = situationSupport + 1
	situationSize  = situationAgain + 1
)

// situation is what a history is like. A blend's weights are linear in it: what is to be made of
// the parts depends on how long a visit is, and on how much is known of where it is.
type situation [situationSize]float32

// situationOf describes a taste. Where the order of items is not known, all of them stand for
// the newest.
func (s *Snapshot) situationOf(t *feedback.Taste) situation {
	z := situation{1}
	newest := t.Items
	n := len(newest)
	if s.blend.sequence != nil {
		n = len(t.Trail)
		newest = t.Trail[:min(n, 1)]
	}
	for k, from := range slices.Backward(lengths[:]) {
		if n >= from {
			z[1+k] = 1
			break
		}
	}
	for _, item := range newest {
		z[situationSupport] += (logarithm(1+s.popular[item])/3 - 1) / float32(len(newest))
	}
	if s.blend.sequence != nil && n > 1 && slices.Contains(t.Trail[1:], t.Trail[0]) {
		z[situationAgain] = 1
	}
	return z
}

// add adds the sum of z_k rows[k] to into.
func (z *situation) add(rows *[situationSize][]float32, into []float32) {
	for k, x := range z {
		if x != 0 {
			dense.Axpy(x, rows[k], into)
		}
	}
}
