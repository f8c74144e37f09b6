package segment

import (
	"fmt"
	"math"
	"reflect"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// now and ages are types of their own, so that a rule can do nothing with them but what knows when
// its answer turns: take one from the other, and compare.
var (
	nowType = cel.OpaqueType("now")
	ageType = cel.OpaqueType("age")
)

// instant is now, or a fixed time before or after it.
type instant struct {
	subject *Subject
	shift   time.Duration
}

// age is now less a time.
type age struct {
	subject *Subject
	since   time.Time
}

// binary is an operation of two values.
type binary func(a, b ref.Val) ref.Val

// operations are what can be done with now and ages, by the ids of their overloads.
var operations = map[string]binary{}

// timeFunctions declares the operations.
func timeFunctions() []cel.EnvOption {
	var options []cel.EnvOption
	declare := func(operator, id string, a, b, result *cel.Type) {
		options = append(options, cel.Function(operator, cel.Overload(id, []*cel.Type{a, b}, result)))
	}
	declare(operators.Subtract, subtractTime, nowType, cel.TimestampType, ageType)
	declare(operators.Subtract, subtractDuration, nowType, cel.DurationType, nowType)
	declare(operators.Add, addDuration, nowType, cel.DurationType, nowType)
	for operator, c := range comparisons {
		declare(operator, c.name+"_age_duration", ageType, cel.DurationType, cel.BoolType)
		declare(operator, c.name+"_duration_age", cel.DurationType, ageType, cel.BoolType)
		declare(operator, c.name+"_now_time", nowType, cel.TimestampType, cel.BoolType)
		declare(operator, c.name+"_time_now", cel.TimestampType, nowType, cel.BoolType)
	}
	return options
}

const (
	subtractTime     = "subtract_now_time"
	subtractDuration = "subtract_now_duration"
	addDuration      = "add_now_duration"
)

// comparison is an operator between now and a time.
type comparison struct {
	name     string
	mirrored string // the operator that says the same with its sides exchanged
	// later is the answer once now is after the time; equal when it is that time.
	later, equal bool
}

var comparisons = map[string]comparison{
	operators.Less:          {"less", operators.Greater, false, false},
	operators.LessEquals:    {"less_equals", operators.GreaterEquals, false, true},
	operators.Greater:       {"greater", operators.Less, true, false},
	operators.GreaterEquals: {"greater_equals", operators.LessEquals, true, true},
}

func init() {
	operations[subtractTime] = func(a, b ref.Val) ref.Val {
		n, ok := a.(*instant)
		t, isTime := b.(types.Timestamp)
		if !ok || !isTime {
			return noOverload()
		}
		return &age{n.subject, t.Time.Add(-n.shift)}
	}
	operations[subtractDuration] = func(a, b ref.Val) ref.Val { return shifted(a, b, -1) }
	operations[addDuration] = func(a, b ref.Val) ref.Val { return shifted(a, b, 1) }
	for _, c := range comparisons {
		mirrored := comparisons[c.mirrored]
		operations[c.name+"_age_duration"] = c.ages
		operations[c.name+"_duration_age"] = func(a, b ref.Val) ref.Val { return mirrored.ages(b, a) }
		operations[c.name+"_now_time"] = c.times
		operations[c.name+"_time_now"] = func(a, b ref.Val) ref.Val { return mirrored.times(b, a) }
	}
}

// noOverload is the error of values that an operation is not for. It is a new one each time, for CEL
// writes into errors where they occurred.
func noOverload() ref.Val { return types.NewErr("no such overload") }

// maxShift is how far from now a rule can look: what CEL can add to itself and stay a duration.
const maxShift = time.Duration(math.MaxInt64 / 2)

// shifted moves now by a duration.
func shifted(a, b ref.Val, sign time.Duration) ref.Val {
	n, ok := a.(*instant)
	d, isDuration := b.(types.Duration)
	if !ok || !isDuration {
		return noOverload()
	}
	if d.Duration > maxShift || d.Duration < -maxShift {
		return types.NewErr("duration out of range")
	}
	shift := n.shift + sign*d.Duration
	if shift > maxShift || shift < -maxShift {
		return types.NewErr("time out of range")
	}
	return &instant{n.subject, shift}
}

// ages compares an age with a duration: now less a time with a duration is now with their sum.
func (c comparison) ages(a, b ref.Val) ref.Val {
	x, ok := a.(*age)
	d, isDuration := b.(types.Duration)
	if !ok || !isDuration {
		return noOverload()
	}
	return c.with(x.subject, x.since.Add(d.Duration))
}

// times compares now, or a time beside it, with a time.
func (c comparison) times(a, b ref.Val) ref.Val {
	n, ok := a.(*instant)
	t, isTime := b.(types.Timestamp)
	if !ok || !isTime {
		return noOverload()
	}
	return c.with(n.subject, t.Time.Add(-n.shift))
}

// with compares now with a time, and notes the microsecond at which the answer turns.
func (c comparison) with(s *Subject, t time.Time) ref.Val {
	now := s.user.Now
	turns := t.UnixMicro() // rounded down
	exact := t.Nanosecond()%int(time.Microsecond) == 0
	if !exact || c.equal != c.later {
		turns++ // it is still the old answer in the microsecond of t, or at t itself
	}
	if now.UnixMicro() < turns {
		s.trace.Hold(turns)
		return types.Bool(!c.later)
	}
	return types.Bool(c.later)
}

// withTime makes calls of the operations do what they are for: CEL's own operators would ask the
// values to compare themselves, and not say with which operator.
func withTime(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := i.(interpreter.InterpretableCall)
	if !ok {
		return i, nil
	}
	do, ok := operations[call.OverloadID()]
	if !ok {
		return i, nil
	}
	args := call.Args()
	return &operation{call, args[0], args[1], do}, nil
}

// operation is a call of one of the operations.
type operation struct {
	interpreter.InterpretableCall
	a, b interpreter.InterpretableV2
	do   binary
}

// Exec implements interpreter.InterpretableV2.
func (o *operation) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	a := o.a.Exec(frame)
	if types.IsUnknownOrError(a) {
		return a
	}
	b := o.b.Exec(frame)
	if types.IsUnknownOrError(b) {
		return b
	}
	return o.do(a, b)
}

// Eval implements interpreter.Interpretable.
func (o *operation) Eval(vars interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(vars, o.Exec)
}

// ConvertToNative implements ref.Val.
func (n *instant) ConvertToNative(t reflect.Type) (any, error) { return nil, noConversion(nowType, t) }

// ConvertToType implements ref.Val.
func (n *instant) ConvertToType(ref.Type) ref.Val { return onlyCompared() }

// Equal implements ref.Val.
func (n *instant) Equal(ref.Val) ref.Val { return onlyCompared() }

// Type implements ref.Val.
func (n *instant) Type() ref.Type { return nowType }

// Value implements ref.Val.
func (n *instant) Value() any { return n }

// ConvertToNative implements ref.Val.
func (a *age) ConvertToNative(t reflect.Type) (any, error) { return nil, noConversion(ageType, t) }

// ConvertToType implements ref.Val.
func (a *age) ConvertToType(ref.Type) ref.Val { return onlyCompared() }

// Equal implements ref.Val.
func (a *age) Equal(ref.Val) ref.Val { return onlyCompared() }

// Type implements ref.Val.
func (a *age) Type() ref.Type { return ageType }

// Value implements ref.Val.
func (a *age) Value() any { return a }

func onlyCompared() ref.Val { return types.NewErrFromString(timeHelp) }

func noConversion(from *cel.Type, to reflect.Type) error {
	return fmt.Errorf("%s does not convert to %v", from, to)
}
