package recommend

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/rank"
	"github.com/attune-shop/attune/model/trend"
	"github.com/attune-shop/attune/server/wire"
)

// The bounds of requests.
const (
	defaultLimit = 10
	maxLimit     = 500
	maxExcluded  = 10_000
	maxSession   = 1_000
	maxRerank    = 1_000
	maxBasket    = 100
	// maxPlacementBytes leaves room for it in a recommendation id, which has event.MaxIDBytes.
	maxPlacementBytes = event.MaxIDBytes - idBytes - 1

	defaultWindow = 24 * time.Hour
	// coldWindow is that of the trending items in a list for a visitor nobody knows.
	coldWindow = 7 * 24 * time.Hour
)

// request is what all requests of the service have in common.
type request interface {
	GetUserId() string
	GetAnonymousId() string
	GetFilter() string
	GetBoost() string
	GetExcludeItemIds() []string
	GetExcludeBought() bool
	GetExcludeSeen() bool
	GetExcludeInCart() bool
	GetMaxPerCategory() int32
	GetPlacement() string
	GetExplain() bool
}

// queryOf checks the options and compiles the rules.
func (s *Service) queryOf(r request, limit *int32) (rank.Query, error) {
	q := rank.Query{
		Limit:          defaultLimit,
		ExcludeBought:  r.GetExcludeBought(),
		ExcludeSeen:    r.GetExcludeSeen(),
		ExcludeInCart:  r.GetExcludeInCart(),
		MaxPerCategory: int(r.GetMaxPerCategory()),
		Explain:        r.GetExplain(),
	}
	if limit != nil {
		q.Limit = int(*limit)
	}
	if err := s.checkOptions(r, q.Limit); err != nil {
		return rank.Query{}, err
	}
	var err error
	if text := r.GetFilter(); text != "" {
		if q.Filter, err = s.rules.Filter(text); err != nil {
			return rank.Query{}, err
		}
	}
	if text := r.GetBoost(); text != "" {
		if q.Boost, err = s.rules.Boost(text); err != nil {
			return rank.Query{}, err
		}
	}
	if ids := r.GetExcludeItemIds(); len(ids) > 0 {
		q.Exclude = make(map[string]struct{}, len(ids))
		for _, id := range ids {
			q.Exclude[id] = struct{}{}
		}
	}
	return q, nil
}

func (s *Service) checkOptions(r request, limit int) error {
	var all []event.Violation
	add := func(field, rule string, args ...any) {
		all = append(all, event.Violation{Field: field, Rule: fmt.Sprintf(rule, args...)})
	}
	if limit < 1 || limit > maxLimit {
		add("limit", "must be in 1..%d, is %d", maxLimit, limit)
	}
	if n := len(r.GetExcludeItemIds()); n > maxExcluded {
		add("exclude_item_ids", "must be at most %d, are %d", maxExcluded, n)
	}
	if n := r.GetMaxPerCategory(); n < 0 {
		add("max_per_category", "must not be negative, is %d", n)
	}
	if p := r.GetPlacement(); len(p) > maxPlacementBytes {
		add("placement", "must be at most %d bytes, is %d", maxPlacementBytes, len(p))
	} else if !plain(p) {
		add("placement", "must be valid UTF-8 without control characters")
	}
	probe := event.Event{
		ID: "probe", Type: event.PageView, SessionID: "probe", UserID: r.GetUserId(), AnonymousID: r.GetAnonymousId(),
	}
	all = append(all, probe.Validate(s.options.Now())...)
	if len(all) > 0 {
		return &event.InvalidError{Violations: all}
	}
	return nil
}

func plain(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return utf8.ValidString(s)
}

func needsVisitor(r request) error {
	if r.GetUserId() == "" && r.GetAnonymousId() == "" {
		return event.Invalid("user_id", "must be given, or anonymous_id")
	}
	return nil
}

func checkItemIDs(field string, ids []string, least, most int) error {
	if len(ids) < least || len(ids) > most {
		return event.Invalid(field, "must be %d to %d, are %d", least, most, len(ids))
	}
	for i, id := range ids {
		if err := wire.CheckID(fmt.Sprintf("%s[%d]", field, i), id); err != nil {
			return err
		}
	}
	return nil
}

func basketOf(req *attunev1.BoughtTogetherRequest) ([]string, error) {
	rest := req.GetBasketItemIds()
	if err := checkItemIDs("basket_item_ids", rest, 0, maxBasket); err != nil {
		return nil, err
	}
	if req.GetItemId() == "" && len(rest) > 0 {
		return rest, nil
	}
	if err := wire.CheckID("item_id", req.GetItemId()); err != nil {
		return nil, err
	}
	return append([]string{req.GetItemId()}, rest...), nil
}

func windowOf(req *attunev1.TrendingRequest, now time.Time) (time.Duration, event.Type, error) {
	window := defaultWindow
	if w := req.GetWindow(); w != nil {
		if window = w.AsDuration(); w.CheckValid() != nil || window < trend.MinWindow || window > trend.MaxWindow {
			return 0, "", event.Invalid("window", "must be 3600s to %ds", int64(trend.MaxWindow/time.Second))
		}
	}
	kind := event.Canonical(req.GetEventType())
	if kind != "" {
		probe := event.Event{ID: "probe", Type: kind, SessionID: "probe"}
		for _, v := range probe.Validate(now) {
			if v.Field == "type" {
				return 0, "", event.Invalid("event_type", "%s", v.Rule)
			}
		}
	}
	if c := req.GetCategory(); len(c) > event.MaxCategoryBytes {
		return 0, "", event.Invalid("category", "must be at most %d bytes, is %d", event.MaxCategoryBytes, len(c))
	}
	return window, kind, nil
}

// sessionOf reads the events of this visit, oldest first; those without a time happened now.
func sessionOf(given []*attunev1.SessionEvent, now time.Time) ([]feature.Interaction, error) {
	if len(given) > maxSession {
		return nil, event.Invalid("session", "must be at most %d events, are %d", maxSession, len(given))
	}
	out := make([]feature.Interaction, 0, len(given))
	for i, g := range given {
		e := event.Event{ID: "probe", Type: event.ViewItem, SessionID: "probe", ItemID: g.GetItemId(), OccurredAt: now}
		if g.GetType() != "" {
			e.Type = event.Canonical(g.GetType())
		}
		if at := g.GetOccurredAt(); at != nil {
			if at.CheckValid() != nil {
				return nil, event.Invalid(fmt.Sprintf("session[%d].occurred_at", i), "is not a time")
			}
			e.OccurredAt = at.AsTime()
		}
		line := event.Line{ItemID: e.ItemID, Quantity: 1}
		if e.Type == event.Purchase || e.Type == event.Refund {
			e.Lines = []event.Line{line}
		}
		if e.ItemID == "" {
			return nil, event.Invalid(fmt.Sprintf("session[%d].item_id", i), "must not be empty")
		}
		for _, v := range e.Validate(now) {
			return nil, event.Invalid(fmt.Sprintf("session[%d].%s", i, v.Field), "%s", v.Rule)
		}
		out = append(out, feature.Interaction{ItemID: e.ItemID, Type: e.Type, At: e.OccurredAt, Quantity: 1})
	}
	return out, nil
}
