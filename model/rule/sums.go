package rule

import (
	"time"

	"cel.dev/cel-go/common/types/ref"

	"github.com/attune-shop/attune/model/feature"
)

// sums are a user's sums over windows that end now. Reading one notes when it changes next.
type sums struct {
	user *User
	feature.Windows
	leaves feature.Leaves
	first  time.Time // when the first event of them occurred
}

const dayMicros = int64(24 * time.Hour / time.Microsecond)

// window notes until when the sum of a window holds: until its oldest day leaves it, or expires.
func (s *sums) window(sum, leaves, days int64) int64 {
	if s.user.Trace != nil && leaves != 0 {
		s.user.Trace.Hold(min(leaves*dayMicros, s.user.Expires((leaves-days)*dayMicros)))
	}
	return sum
}

func (s *sums) d1() int64  { return s.window(s.D1, s.leaves.D1, 1) }
func (s *sums) d7() int64  { return s.window(s.D7, s.leaves.D7, 7) }
func (s *sums) d30() int64 { return s.window(s.D30, s.leaves.D30, 30) }
func (s *sums) d90() int64 { return s.window(s.D90, s.leaves.D90, 90) }
func (s *sums) all() int64 {
	s.user.holdSince(s.first)
	return s.All
}

var countsMessage = NewMessage("attune.v1.WindowCounts", Fields{
	"d1": Int((*sums).d1), "d7": Int((*sums).d7), "d30": Int((*sums).d30), "d90": Int((*sums).d90), "all": Int((*sums).all),
})

// money is sums of amounts of one currency.
type money struct {
	currency string
	sums
}

var moneyMessage = NewMessage("attune.v1.WindowMoney", Fields{
	"currency_code": Text(func(m *money) string { return m.currency }),
	"d1":            Int(func(m *money) int64 { return m.d1() }),
	"d7":            Int(func(m *money) int64 { return m.d7() }),
	"d30":           Int(func(m *money) int64 { return m.d30() }),
	"d90":           Int(func(m *money) int64 { return m.d90() }),
	"all":           Int(func(m *money) int64 { return m.all() }),
})

// typeFeatures are the features of one event type.
type typeFeatures struct {
	user *User
	*feature.TypeSummary
}

var typeMessage = NewMessage("attune.v1.TypeFeatures", Fields{
	"type": Text(func(t *typeFeatures) string { return string(t.Type) }),
	"counts": Object(countsMessage, func(t *typeFeatures) ref.Val {
		return countsMessage.Of(&sums{user: t.user, Windows: t.Counts, leaves: t.Leaves, first: t.First})
	}),
	"values": List(moneyMessage, func(t *typeFeatures) []ref.Val {
		t.user.holdSince(t.First)
		return t.user.money(t.Values, t.First)
	}),
	"first_at": Time(func(t *typeFeatures) time.Time {
		t.user.holdSince(t.First)
		return t.First
	}),
	"last_at": Time(func(t *typeFeatures) time.Time {
		t.user.holdSince(t.Last)
		return t.Last
	}),
})
