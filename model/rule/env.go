// Package rule is what the rules of Attune have in common, whoever asks them: they are written in
// CEL (https://cel.dev), strictly typed, and read a visitor under the names that the contract's User
// message gives its fields. On top of it, model/rank/expr has the filters and boosts of a request and
// model/segment the rules of segments.
//
// What never happened counts 0: a key that is not in one of the user's maps of counts and shares
// reads as 0, and "in" and has() still tell. What is not known (the last purchase of somebody who
// bought nothing) is an evaluation error, which has() tells; whoever asks takes it for "no".
package rule

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/attune-shop/attune/model/event"
)

// MaxTextBytes bounds a rule's text.
const MaxTextBytes = 4 << 10

// NewEnv returns CEL's standard environment with the user's types, the given ones and what the
// options add.
func NewEnv(messages []*Message, options ...cel.EnvOption) (*cel.Env, error) {
	provider, err := newProvider(append(messages, userMessages...))
	if err != nil {
		return nil, err
	}
	return cel.NewEnv(append([]cel.EnvOption{
		cel.CustomTypeAdapter(provider),
		cel.CustomTypeProvider(provider),
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxTextBytes),
		cel.ParserRecursionLimit(64),
		cel.ExpressionNodeLimit(4096),
		cel.RegexProgramSizeLimit(1000),
	}, options...)...)
}

// Compile parses and checks a text. One that is not valid is an *event.InvalidError of the field
// with line and column.
func Compile(env *cel.Env, field, text string) (*cel.Ast, error) {
	if len(text) > MaxTextBytes {
		return nil, event.Invalid(field, "is %d bytes long; at most %d", len(text), MaxTextBytes)
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, &event.InvalidError{Violations: violations(field, issues)}
	}
	return ast, nil
}

// violations gives each compile error its position, at most three.
func violations(field string, issues *cel.Issues) []event.Violation {
	var out []event.Violation
	for _, e := range issues.Errors() {
		if len(out) == 3 {
			break
		}
		out = append(out, event.Violation{Field: field, Rule: At(e.Location.Line(), e.Location.Column(), e.Message)})
	}
	return out
}

// At says where in a text something is wrong; columns are counted from 0, as CEL does.
func At(line, column int, message string) string {
	return fmt.Sprintf("line %d, column %d: %s", line, column+1, OneLine(message))
}

// OneLine brings a message of any length to one line of text.
func OneLine(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	const most = 300
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
