// Package segment evaluates the rules of segments: whether a user belongs to one, and until when
// that stays so while nothing of the user changes. Rules are written in the language of model/rule;
// their variables are the fields of the contract's User message, and what fields.go adds to them.
//
// An answer that time alone can change says when. Each read of something that changes with time
// notes until when it keeps its value (rule.Trace), so that the answer holds until the least of
// what its evaluation read, and nobody has to ask again before. now and ages can only be
// compared (now.go), for a comparison knows the very microsecond at which it turns.
//
// What can change an answer beside time is known of the rule alone (Reads).
package segment

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/rule"
)

const (
	// MaxTextBytes bounds a rule's text.
	MaxTextBytes = rule.MaxTextBytes
	// MaxCost bounds one evaluation, in CEL's cost units: about one a visited node, and one for every
	// ten bytes of text that is read. A rule that may come to more for a user of ordinary size (check.go
	// has the bounds) is not compiled; for larger users it ends there.
	MaxCost = 50_000

	// field is what errors of a rule name.
	field = "rule"
)

// Subject is whom rules are asked about, at one time. What rules read of it is computed when it is
// first read and kept, so that many rules share it: none of its fields may change once a rule was
// asked. It is not safe for concurrent use.
type Subject struct {
	UserID       string
	AnonymousIDs []string
	// State is what the user did; nil where that is nothing.
	State *feature.State
	// Now is the time that is asked about, in whole microseconds: what is finer is left out.
	Now time.Time
	// Horizon returns the first time that is kept, as retention's Horizon does: the beginning of the
	// month that lies a number of months before that of the given time. Nothing expires where it is nil.
	Horizon func(time.Time) time.Time
	// Scale is what rfm goes by; DefaultScale where it is nil.
	Scale *Scale
	// Affinity returns the shares of categories and brands in recent interest; none where it is nil.
	Affinity func() (categories, brands map[string]float64)
	// Likelihood returns the chance of a purchase within seven days, and until when that is the answer
	// while nothing else changes (the zero time: for good). It is not known where this is nil.
	Likelihood func() (p float64, until time.Time)
	// Likeness returns how like the members of a segment the user is. It is not known where this is nil.
	Likeness func(segmentID string) Likeness

	trace      rule.Trace
	user       rule.User
	prepared   bool
	rfm        *rfm
	likely     *likelihood
	likenesses map[string]Likeness
}

// Likeness is how like the members of a segment somebody else is, among all others.
type Likeness struct {
	// Known is false of the members themselves, and where nothing was learned of the segment.
	Known bool
	// Share of others is less like members than the user. Rank others are at least as like, the user included.
	Share float64
	Rank  int64
	// Until is until when all that is the answer while nothing of the user changes; the zero time: for good.
	Until time.Time
}

// prepare makes the user that rules read, once.
func (s *Subject) prepare() {
	if s.prepared {
		return
	}
	s.prepared = true
	s.user = rule.User{
		UserID: s.UserID, AnonymousIDs: s.AnonymousIDs, State: s.State,
		Now: time.UnixMicro(s.Now.UnixMicro()).UTC(), Horizon: s.Horizon, Affinity: s.Affinity, Trace: &s.trace,
	}
}

// large tells whether the subject has more of something than checkCost goes by.
func (s *Subject) large() bool {
	return uint64(len(s.AnonymousIDs)) > bounds["anonymous_ids"] || uint64(s.user.Known().Currencies()) > bounds["values"]
}

// Compiler compiles rules. It is safe for concurrent use.
type Compiler struct{ env *cel.Env }

// NewCompiler returns a Compiler.
func NewCompiler() (*Compiler, error) {
	env, err := newEnv()
	if err != nil {
		return nil, fmt.Errorf("rule environment: %w", err)
	}
	return &Compiler{env}, nil
}

// Rule is a compiled rule. It is immutable and safe for concurrent use, with a Subject each.
type Rule struct {
	program cel.Program
	// metered is program with a limit on its cost; nil where the text alone bounds that. To count the
	// cost takes longer than the rest, so it is for who has more of something than checkCost went by.
	metered cel.Program
	// alwaysMetered says that a loop may run over what has no tight bound.
	alwaysMetered bool
	reads         Reads
}

// Rule compiles a rule, which must be boolean. A text that is not valid is an *event.InvalidError
// of the field "rule" with line and column; so is one whose evaluation may cost more than MaxCost.
func (c *Compiler) Rule(text string) (*Rule, error) {
	ast, err := rule.Compile(c.env, field, text)
	if err != nil {
		return nil, explained(err)
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !mentionsTime(t) {
		return nil, event.Invalid(field, "is of type %s; must be bool", cel.FormatCELType(t))
	}
	checked := ast.NativeRep()
	if err := checkUse(checked); err != nil {
		return nil, err
	}
	r := &Rule{reads: readsOf(checked)}
	if r.program, err = c.program(ast); err != nil {
		return nil, err
	}
	if rule.FlatCost(checked) > 0 {
		return r, nil
	}
	if err := c.checkCost(ast); err != nil {
		return nil, err
	}
	r.alwaysMetered = slices.ContainsFunc(loose, func(name string) bool { return rule.Mentions(checked, name) })
	if r.metered, err = c.program(ast, cel.CostLimit(MaxCost)); err != nil {
		return nil, err
	}
	return r, nil
}

func (c *Compiler) program(ast *cel.Ast, options ...cel.ProgramOption) (cel.Program, error) {
	options = append(options, cel.EvalOptions(cel.OptOptimize), cel.CustomDecoratorV2(withTime))
	program, err := c.env.Program(ast, options...)
	if err != nil {
		return nil, event.Invalid(field, "%s", rule.OneLine(err.Error()))
	}
	return program, nil
}

// Reads tells what can change the rule's answer, beside time.
func (r *Rule) Reads() Reads { return r.reads }

// Evaluate tells whether the subject is a member, and until when that holds as long as nothing of
// the user changes; the zero time says for good. Who lacks what the rule reads is no member. The
// error is that of a rule that runs too long, an *event.InvalidError of "rule"; then the subject is
// no member either.
func (r *Rule) Evaluate(s *Subject) (member bool, until time.Time, err error) {
	s.prepare()
	s.trace.Start()
	program := r.program
	if r.metered != nil && (r.alwaysMetered || s.large()) {
		program = r.metered
	}
	val, _, err := program.Eval((*activation)(s))
	until = s.trace.Until()
	if err == nil {
		return val == types.True, until, nil
	}
	var unknown *types.Err
	var cancelled interpreter.EvalCancelledError
	switch {
	case errors.As(err, &cancelled):
		return false, until, event.Invalid(field, "runs too long: one evaluation may cost at most %d", uint64(MaxCost))
	case errors.As(err, &unknown):
		return false, until, nil
	}
	return false, until, fmt.Errorf("%s: %w", field, err)
}

// activation is a Subject as CEL asks for its variables.
type activation Subject

// ResolveName implements cel.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	s := (*Subject)(a)
	if name == whole {
		return subjectMessage.Of(s), true
	}
	f, ok := fields[name]
	if !ok {
		return nil, false
	}
	v, err := f.GetFrom(s)
	if err != nil {
		return types.WrapErr(fmt.Errorf("%s: %w", name, err)), true
	}
	return v, true
}

// Parent implements cel.Activation.
func (a *activation) Parent() cel.Activation { return nil }
