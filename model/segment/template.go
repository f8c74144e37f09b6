package segment

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/attune-shop/attune/model/event"
)

// Kind is what values a parameter takes.
type Kind string

// The kinds of parameters.
const (
	Text   Kind = "text"
	Int    Kind = "int"
	Number Kind = "number"
)

// Parameter is something that a template asks for.
type Parameter struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Kind        Kind   `json:"type"`
	// Default is an int64, a float64 or a string; nil where the parameter has to be given.
	Default any `json:"default,omitempty"`
	// Min and Max bound a number, and the bytes of a text.
	Min float64 `json:"min"`
	Max float64 `json:"max"`
	// Choices are all texts that are taken; any is where there are none.
	Choices []string `json:"choices,omitempty"`
}

// Template is a ready-made rule.
type Template struct {
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Parameters  []Parameter `json:"parameters"`
	// text is the rule with %[n]s in the place of parameter n, counted from 1.
	text string
}

// Rule returns the text of the rule with the given values, by name: strings for text, and for
// numbers any number of Go. What is not given has its default. Values that do not fit are an
// *event.InvalidError that names each, as in "parameters.hours".
func (t *Template) Rule(params map[string]any) (string, error) {
	var violations []event.Violation
	refuse := func(name, rule string) {
		violations = append(violations, event.Violation{Field: "parameters." + name, Rule: rule})
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if !slices.ContainsFunc(t.Parameters, func(p Parameter) bool { return p.Name == name }) {
			refuse(name, "is no parameter of "+t.Name)
		}
	}
	literals := make([]any, len(t.Parameters))
	for i := range t.Parameters {
		p := &t.Parameters[i]
		v, given := params[p.Name]
		if !given {
			v = p.Default
		}
		literal, wrong := p.literal(v)
		if wrong != "" {
			refuse(p.Name, wrong)
		}
		literals[i] = literal
	}
	if violations != nil {
		return "", &event.InvalidError{Violations: violations}
	}
	if len(literals) == 0 {
		return t.text, nil
	}
	return fmt.Sprintf(t.text, literals...), nil
}

// literal returns a value as CEL writes it, or what is wrong with it.
func (p *Parameter) literal(v any) (text, wrong string) {
	if v == nil {
		return "", "must be given"
	}
	if p.Kind == Text {
		s, ok := v.(string)
		switch {
		case !ok:
			return "", "must be text"
		case len(p.Choices) > 0 && !slices.Contains(p.Choices, s):
			return "", "must be one of " + strings.Join(p.Choices, ", ")
		case float64(len(s)) < p.Min || float64(len(s)) > p.Max:
			return "", fmt.Sprintf("must have %v to %v bytes", p.Min, p.Max)
		case !utf8.ValidString(s):
			return "", "must be UTF-8"
		}
		// The escapes of Go are among those of CEL, and mean the same in valid UTF-8.
		return strconv.Quote(s), ""
	}
	x, ok := number(v)
	switch {
	case !ok || math.IsNaN(x):
		return "", "must be a number"
	case x < p.Min || x > p.Max:
		return "", fmt.Sprintf("must be between %s and %s", plain(p.Min), plain(p.Max))
	case p.Kind == Int && x != math.Trunc(x):
		return "", "must be a whole number"
	case p.Kind == Int:
		return strconv.FormatInt(int64(x), 10), ""
	}
	if text = plain(x); !strings.Contains(text, ".") {
		text += ".0"
	}
	return text, ""
}

func plain(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// number returns a number of Go; whole ones beyond 2^53, which no parameter takes, are rounded.
func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int:
		return float64(n), true
	case int32:
		return float64(n), true
	case int64:
		return float64(n), true
	case float32:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func wholeNumber(name, description string, otherwise, most int64) Parameter {
	return Parameter{Name: name, Description: description, Kind: Int, Default: otherwise, Min: 1, Max: float64(most)}
}

func share(name, description string, otherwise float64) Parameter {
	return Parameter{Name: name, Description: description, Kind: Number, Default: otherwise, Min: 0, Max: 1}
}

var templates = []Template{
	{
		"rfm_class", "Buyers of one class by recency, frequency and worth",
		[]Parameter{{Name: "class", Description: "the class", Kind: Text, Default: Champions, Min: 1, Max: 64, Choices: Classes}},
		`rfm.class == %[1]s`,
	},
	{
		"cart_abandoners", "Who left something in the cart, bought nothing since, and has not been back for a while",
		[]Parameter{
			wholeNumber("idle_hours", "hours since the last visit", 24, 24*90),
			wholeNumber("within_hours", "hours since something was last put into the cart, at most", 24*30, 24*365),
		},
		`size(cart_item_ids) > 0 && last_seen.age >= duration("%[1]sh")` +
			` && types.exists(t, t.type == "add_to_cart" && now - t.last_at < duration("%[2]sh")` +
			` && !(has(last_purchase) && last_purchase.at >= t.last_at))`,
	},
	{
		"lapsed", "Buyers whose last purchase is a while ago",
		[]Parameter{wholeNumber("hours", "hours since the last purchase", 24*90, 24*3650)},
		`last_purchase.age > duration("%[1]sh")`,
	},
	{
		"new", "Who was first seen lately",
		[]Parameter{wholeNumber("hours", "hours since the first visit, at most", 24*7, 24*3650)},
		`first_seen.age <= duration("%[1]sh")`,
	},
	{
		"high_value", "Who spent much, less what was refunded",
		[]Parameter{
			{Name: "currency_code", Description: "the currency", Kind: Text, Default: "EUR", Min: 3, Max: 3},
			wholeNumber("minor_units", "what was spent at least, as in cents", 50_000, event.MaxAmount),
		},
		`spent.exists(s, s.currency_code == %[1]s && s.all >= %[2]s)`,
	},
	{
		"category_browsers", "Who is interested in a category and was here lately",
		[]Parameter{
			{Name: "category", Description: "the category's path", Kind: Text, Min: 1, Max: event.MaxCategoryBytes},
			share("share", "the category's share of recent interest, at least", 0.3),
			wholeNumber("within_hours", "hours since the last visit, at most", 24*30, 24*3650),
		},
		`affinity[%[1]s] >= %[2]s && last_seen.age <= duration("%[3]sh")`,
	},
	{
		"lookalikes", "Who is most like the members of another segment, and none of them",
		[]Parameter{
			{Name: "segment_id", Description: "the other segment", Kind: Text, Min: 1, Max: 128},
			wholeNumber("size", "how many users, about", 1_000, 1_000_000_000),
		},
		`likeness_rank[%[1]s] <= %[2]s`,
	},
	{
		"likely_buyers", "Who will probably buy within seven days",
		[]Parameter{share("p", "the chance, at least", 0.2)},
		`likelihood.purchase_7d >= %[1]s`,
	},
	{"never_bought", "Who never bought", nil, `event_counts["purchase"] == 0`},
	{
		"repeat_buyers", "Who bought again",
		[]Parameter{wholeNumber("purchases", "purchases of all time, at least", 2, 1_000_000)},
		`purchases.all >= %[1]s`,
	},
}

// Templates returns the ready-made rules.
func Templates() []Template { return slices.Clone(templates) }
