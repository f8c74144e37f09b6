package cf

import (
	"fmt"
	"strings"

	"github.com/attune-shop/attune/model/cf/feedback"
)

// unevaluated is the plan where too few users came back to hold anything out.
func (o Options) unevaluated(d *feedback.Dataset) Plan {
	plan := Plan{
		Algorithm: o.Algorithm,
		Choice:    fmt.Sprintf("%q was asked for; too few users came back to hold anything out.", o.Algorithm),
	}
	if o.Algorithm == Auto || o.Algorithm == Blend {
		plan.Algorithm = ItemKNN
		if d.Pairs() == d.Users() {
			plan.Algorithm = Popularity
		}
		plan.Choice = fmt.Sprintf("Too few users came back to hold anything out; %q needs the least history.", plan.Algorithm)
	}
	plan.Settings, _ = search(plan.Algorithm, d, o)
	return plan
}

// choice says in a sentence what was chosen and why, and what was not tried (Plan.Choice).
func (o Options) choice(d *feedback.Dataset, h *chooser, plan Plan, scopes []scope) string {
	metric := o.Protocol.Metric().At(o.Protocol.K)
	about := fmt.Sprintf(h.About, len(h.Cases))
	with := plan.Settings.String()
	if with != "" {
		with = " with " + with
	}
	var text strings.Builder
	if o.Algorithm != Auto && o.Algorithm != Blend {
		fmt.Fprintf(&text, "%q was asked for; it reached %s %.4f on %s%s%s.",
			plan.Algorithm, metric, plan.Evaluations[0].Metrics[metric], about, with, o.omitted(scopes))
		return text.String()
	}
	var chosen, popular float64
	var others []string
	for _, e := range plan.Evaluations {
		reached := e.Metrics[metric]
		if e.Algorithm == Popularity {
			popular = reached
		}
		if e.Algorithm != plan.Algorithm {
			others = append(others, fmt.Sprintf("%q %.4f", e.Algorithm, reached))
			continue
		}
		chosen = reached
		fmt.Fprintf(&text, "%q%s was chosen for its %s, %.4f, on %s", plan.Algorithm, with, metric, reached, about)
	}
	fmt.Fprintf(&text, " (%s)", strings.Join(others, ", "))
	if popular > chosen {
		fmt.Fprintf(&text, "; %q says the same to everybody and must be %g times better", Popularity, popularMargin)
	}
	if n := len(d.Active()); n > o.EASEMaxItems {
		fmt.Fprintf(&text, "; %q was not tried, for it takes at most %d items and there are %d", EASE, o.EASEMaxItems, n)
	}
	text.WriteString(o.omitted(scopes) + ".")
	return text.String()
}
