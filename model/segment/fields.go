package segment

import (
	"maps"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/parser"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/rule"
)

// fields are the variables of a rule: those of the User message, and what segments add. A new one
// is added here, and to reads (reads.go).
var fields = variables()

func variables() rule.Fields {
	all := rule.Fields{}
	for name, f := range rule.UserMessage.Fields() {
		if name != rule.SegmentsField { // a segment is not made of segments
			all[name] = ofUser(f)
		}
	}
	all["affinity"] = all["category_affinity"]
	maps.Copy(all, rule.Fields{
		"now": rule.Field(nowType, func(*Subject) bool { return true }, func(s *Subject) (any, error) {
			return &instant{subject: s}, nil
		}),
		"first_seen":    momentField((*rule.User).FirstSeen),
		"last_seen":     momentField((*rule.User).LastSeen),
		"last_purchase": momentField((*rule.User).LastPurchase),
		"rfm":           rule.Object(rfmMessage, func(s *Subject) ref.Val { return rfmMessage.Of(s) }),
		"likelihood":    rule.Object(likelihoodMessage, func(s *Subject) ref.Val { return likelihoodMessage.Of(s) }),
		"likeness": rule.Map(cel.DoubleType, nil, func(s *Subject) rule.Table {
			return &likenessTable{s, func(l *Likeness) ref.Val { return types.Double(l.Share) }}
		}),
		"likeness_rank": rule.Map(cel.IntType, nil, func(s *Subject) rule.Table {
			return &likenessTable{s, func(l *Likeness) ref.Val { return types.Int(l.Rank) }}
		}),
	})
	return all
}

// whole is the variable behind has(name): all variables as fields of one message. Nobody can write it.
const whole = "@subject"

var subjectMessage = rule.NewMessage("attune.v1.Subject", fields)

func newEnv() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.Macros(parser.NewGlobalMacro(operators.Has, 1, has)),
		cel.Variable(whole, subjectMessage.Type()),
	}
	for name, f := range fields {
		options = append(options, cel.Variable(name, f.Type))
	}
	options = append(options, timeFunctions()...)
	return rule.NewEnv([]*rule.Message{subjectMessage, momentMessage, rfmMessage, likelihoodMessage}, options...)
}

// has expands has(x), which CEL knows for fields only, for variables too.
func has(eh parser.ExprHelper, target ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
	if args[0].Kind() == ast.IdentKind && fields[args[0].AsIdent()] != nil {
		return eh.NewPresenceTest(eh.NewIdent(whole), args[0].AsIdent()), nil
	}
	return parser.MakeHas(eh, target, args)
}

// ofUser reads a field of the User message of a Subject.
func ofUser(f *types.FieldType) *types.FieldType {
	return rule.Field(f.Type,
		func(s *Subject) bool { return f.IsSet(&s.user) },
		func(s *Subject) (any, error) { return f.GetFrom(&s.user) })
}

// moment is when something occurred.
type moment struct {
	subject *Subject
	at      time.Time
}

var momentMessage = rule.NewMessage("attune.v1.Moment", rule.Fields{
	"at": rule.Time(func(m *moment) time.Time { return m.at }),
	"age": rule.Field(ageType, func(*moment) bool { return true }, func(m *moment) (any, error) {
		return &age{subject: m.subject, since: m.at}, nil
	}),
})

// momentField is a time that may be absent, and how long ago that was.
func momentField(get func(*rule.User) time.Time) *types.FieldType {
	return rule.Optional(momentMessage.Type(), func(s *Subject) (ref.Val, bool) {
		at := get(&s.user)
		return momentMessage.Of(&moment{s, at}), !at.IsZero()
	})
}

// rfm is what a user's scores go by.
type rfm struct {
	class                        string
	recency, frequency, monetary int
	// recencyUntil is when the recency changes with time alone, in microseconds since 1970.
	recencyUntil int64
}

var rfmMessage = rule.NewMessage("attune.v1.RFM", rule.Fields{
	"class": rule.Text(func(s *Subject) string {
		r := s.scored()
		s.trace.Hold(r.recencyUntil)
		s.user.Purchases()
		s.user.LastPurchase()
		s.user.Spent()
		return r.class
	}),
	"recency": rule.Int(func(s *Subject) int64 {
		r := s.scored()
		s.trace.Hold(r.recencyUntil)
		s.user.LastPurchase()
		return int64(r.recency)
	}),
	"frequency": rule.Int(func(s *Subject) int64 {
		s.user.Purchases()
		return int64(s.scored().frequency)
	}),
	"monetary": rule.Int(func(s *Subject) int64 {
		s.user.Spent()
		s.user.Purchases() // who has none has no score
		return int64(s.scored().monetary)
	}),
})

// scored returns the user's scores, which are 0 for who never bought.
func (s *Subject) scored() *rfm {
	if s.rfm != nil {
		return s.rfm
	}
	// What is read here is noted by whoever reads a score, of that score alone.
	defer func(noted rule.Trace) { s.trace = noted }(s.trace)
	s.rfm = &rfm{recencyUntil: rule.ForGood}
	purchases, _, last := s.user.Known().Count(event.Purchase)
	if purchases == 0 {
		return s.rfm
	}
	scale := s.Scale
	if scale == nil {
		scale = &defaultScale
	}
	r := s.rfm
	bought := day(last)
	r.recency, r.frequency, r.monetary = scale.Scores(max(day(s.user.Now)-bought, 0), purchases, scale.worth(s.user.Spent()))
	r.class = Class(r.recency, r.frequency, r.monetary)
	if r.recency > 1 { // it falls with the day after the next step
		r.recencyUntil = (bought + min(scale.RecencyDays[scoreSteps+1-r.recency], maxDays) + 1) * dayMicros
	}
	return r
}

const dayMicros = int64(24 * time.Hour / time.Microsecond)

// day numbers days of UTC from 1970-01-01 on.
func day(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

// likelihood is what the model says of the user.
type likelihood struct {
	p     float64
	until int64
}

var likelihoodMessage = rule.NewMessage("attune.v1.Likelihood", rule.Fields{
	"purchase_7d": rule.Optional(cel.DoubleType, func(s *Subject) (ref.Val, bool) {
		if s.Likelihood == nil {
			return nil, false
		}
		if s.likely == nil {
			p, until := s.Likelihood()
			s.likely = &likelihood{p, rule.ForGood}
			if !until.IsZero() {
				s.likely.until = until.UnixMicro()
			}
		}
		s.trace.Hold(s.likely.until)
		s.user.FirstSeen() // it goes by all that is kept, from the first event on
		return types.Double(s.likely.p), true
	}),
})

// likenessTable is one figure of a subject's likeness to segments, by their ids. Rules name the ids.
type likenessTable struct {
	subject *Subject
	figure  func(*Likeness) ref.Val
}

// Find implements rule.Table.
func (t *likenessTable) Find(segmentID string) (ref.Val, bool) {
	s := t.subject
	if s.Likeness == nil {
		return nil, false
	}
	l, asked := s.likenesses[segmentID]
	if !asked {
		l = s.Likeness(segmentID)
		if s.likenesses == nil {
			s.likenesses = map[string]Likeness{}
		}
		s.likenesses[segmentID] = l
	}
	if !l.Until.IsZero() {
		s.trace.Hold(l.Until.UnixMicro())
	}
	s.user.FirstSeen() // it goes by all that is kept, from the first event on
	return t.figure(&l), l.Known
}

// Keys implements rule.Table.
func (t *likenessTable) Keys() []string { return nil }
