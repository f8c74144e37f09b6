// Package expr compiles and evaluates the two rules that a request may carry: a filter,
// which keeps the items for which it is true, and a boost, by which an item's score is
// multiplied. Both are written in the language of model/rule over two variables, item and
// user, whose fields bear the names that the contract's Item and User messages give them.
//
// A message that is absent (a price nobody gave, the last purchase of somebody who bought
// nothing) is told by has(); reading it all the same is an evaluation error, as is an
// attribute that is not there. An evaluation error makes a filter false and a boost 1 for
// that one item, so what is not known never matches. What the user never did counts 0.
//
// Work is bounded three times: by the length of the text, by a limit an evaluation, and
// by the Budget that a request's evaluations share. All are counted in cost, never in time.
package expr

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/rule"
)

const (
	// MaxCost bounds one evaluation, in CEL's cost units: about one a visited node, and one
	// for every ten bytes of text that is read.
	MaxCost = 20_000
	// RequestCost and, for each item of the catalog, ItemCost are the Budget of one request:
	// a rule of ordinary size may look at every item.
	RequestCost = 1_000_000
	// ItemCost is the other part of it.
	ItemCost = 100

	cachedPrograms = 1024
	// interruptEvery is the number of loop steps between two looks at the context.
	interruptEvery = 256
	// attributeBytesPerCost is how many bytes of attributes are parsed for one unit of cost.
	attributeBytesPerCost = 10
)

// Budget is what is left of the cost that the evaluations of one request share.
// It is not safe for concurrent use.
type Budget struct{ all, left uint64 }

// NewBudget returns the budget of one request over a catalog of so many items.
func NewBudget(items int) *Budget {
	all := uint64(RequestCost) + ItemCost*uint64(items)
	return &Budget{all: all, left: all}
}

// Compiler compiles rules and keeps the ones used last. It is safe for concurrent use.
type Compiler struct {
	env   *cel.Env
	cache *lru.Cache[cacheKey, *program]
}

type cacheKey struct{ field, text string }

// NewCompiler returns a Compiler with an empty cache.
func NewCompiler() (*Compiler, error) {
	env, err := rule.NewEnv([]*rule.Message{itemMessage, moneyMessage},
		cel.Variable("item", itemMessage.Type()), cel.Variable("user", rule.UserMessage.Type()))
	if err != nil {
		return nil, fmt.Errorf("rule environment: %w", err)
	}
	cache, err := lru.New[cacheKey, *program](cachedPrograms)
	if err != nil {
		return nil, fmt.Errorf("rule cache: %w", err)
	}
	return &Compiler{env: env, cache: cache}, nil
}

// Filter is a compiled filter. It is immutable.
type Filter struct{ p *program }

// Boost is a compiled boost. It is immutable.
type Boost struct{ p *program }

// Filter compiles a filter, which must be boolean. A text that is not valid is an
// *event.InvalidError of the field "filter" with line and column.
func (c *Compiler) Filter(text string) (*Filter, error) {
	p, err := c.compile("filter", text)
	if err != nil {
		return nil, err
	}
	return &Filter{p}, nil
}

// Boost compiles a boost, which must be an int, a uint or a double. A text that is not
// valid is an *event.InvalidError of the field "boost" with line and column.
func (c *Compiler) Boost(text string) (*Boost, error) {
	p, err := c.compile("boost", text)
	if err != nil {
		return nil, err
	}
	return &Boost{p}, nil
}

// UsesUser tells whether the rule reads user; where not, Keep may be given a nil user.
func (f *Filter) UsesUser() bool { return f.p.usesUser }

// UsesUser tells whether the rule reads user; where not, Factor may be given a nil user.
func (b *Boost) UsesUser() bool { return b.p.usesUser }

// Keep tells whether the item stays. Its errors are those of a rule that runs too long
// (*event.InvalidError of "filter"), of a spent budget (the same) and of ctx.
func (f *Filter) Keep(ctx context.Context, item *event.Item, user *rule.User, budget *Budget) (bool, error) {
	val, err := f.p.eval(ctx, item, user, budget)
	if val == nil || err != nil {
		return false, err
	}
	return val == types.True, nil
}

// Factor returns what the item's score is multiplied by: finite and 0 or more. Its errors
// are those of Keep, naming "boost", and a value that is negative, infinite or not a number.
func (b *Boost) Factor(ctx context.Context, item *event.Item, user *rule.User, budget *Budget) (float64, error) {
	val, err := b.p.eval(ctx, item, user, budget)
	if err != nil {
		return 0, err
	}
	var factor float64
	switch v := val.(type) {
	case nil:
		return 1, nil
	case types.Double:
		factor = float64(v)
	case types.Int:
		factor = float64(v)
	case types.Uint:
		factor = float64(v)
	default:
		return 1, nil
	}
	if math.IsNaN(factor) || math.IsInf(factor, 0) || factor < 0 {
		return 0, event.Invalid("boost", "is %v for item %q; must be a finite number of 0 or more", factor, item.ID)
	}
	return factor, nil
}

// program is one compiled rule.
type program struct {
	field    string
	cel      cel.Program
	usesUser bool
	// usesAttributes says that an evaluation parses the item's attributes.
	usesAttributes bool
	// flatCost is what an evaluation costs where the text alone bounds it; 0 where the
	// cost has to be tracked.
	flatCost uint64
}

func (c *Compiler) compile(field, text string) (*program, error) {
	key := cacheKey{field, text}
	if p, ok := c.cache.Get(key); ok {
		return p, nil
	}
	ast, err := rule.Compile(c.env, field, text)
	if err != nil {
		return nil, err
	}
	if err := checkOutput(field, ast.OutputType()); err != nil {
		return nil, err
	}
	checked := ast.NativeRep()
	p := &program{field: field, usesUser: rule.Mentions(checked, "user"), usesAttributes: strings.Contains(text, "attributes"), flatCost: rule.FlatCost(checked)}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if p.flatCost == 0 {
		options = append(options, cel.CostLimit(MaxCost), cel.InterruptCheckFrequency(interruptEvery))
	}
	if p.cel, err = c.env.Program(ast, options...); err != nil {
		return nil, event.Invalid(field, "%s", rule.OneLine(err.Error()))
	}
	c.cache.Add(key, p)
	return p, nil
}

func checkOutput(field string, t *cel.Type) error {
	switch {
	case field == "filter" && t.IsExactType(cel.BoolType):
	case field == "boost" && (t.IsExactType(cel.DoubleType) || t.IsExactType(cel.IntType) || t.IsExactType(cel.UintType)):
	case field == "filter":
		return event.Invalid(field, "is of type %s; must be bool", cel.FormatCELType(t))
	default:
		return event.Invalid(field, "is of type %s; must be int, uint or double", cel.FormatCELType(t))
	}
	return nil
}

// eval returns the rule's value, nil where the item lacks what the rule reads.
func (p *program) eval(ctx context.Context, of *event.Item, user *rule.User, budget *Budget) (ref.Val, error) {
	if budget.left == 0 {
		return nil, event.Invalid(p.field, "costs more than a request may spend on rules (%d); name fewer items or a simpler rule", budget.all)
	}
	var (
		val     ref.Val
		details *cel.EvalDetails
		err     error
		spent   = p.flatCost
	)
	vars := variables{item: item{Item: of}, user: user}
	if spent > 0 {
		val, _, err = p.cel.Eval(&vars)
	} else {
		val, details, err = p.cel.ContextEval(ctx, &vars)
		spent = 1
		if cost := details.ActualCost(); cost != nil {
			spent += *cost
		}
	}
	if p.usesAttributes {
		spent += uint64(len(of.Attributes)) / attributeBytesPerCost
	}
	budget.left -= min(spent, budget.left)
	if err == nil {
		return val, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", p.field, context.Cause(ctx))
	}
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) {
		return nil, event.Invalid(p.field, "runs too long: one evaluation may cost at most %d", uint64(MaxCost))
	}
	return nil, nil
}
