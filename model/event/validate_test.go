package event

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// sale is a valid purchase.
func sale() Event {
	return Event{
		ID: "o-1", Type: Purchase, UserID: "zoë", AnonymousID: "a-1",
		Lines: []Line{
			{ItemID: "lamp", Quantity: 2, Price: Money{"EUR", 1999}},
			{ItemID: "bulb", Quantity: 3},
		},
		OccurredAt: now.Add(-time.Hour),
		Attributes: []byte(`{"b":1,"a":"x"}`),
	}
}

func TestValidateNamesTheField(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*Event)
		field string
	}{
		{"no id and no time", func(e *Event) { e.ID, e.OccurredAt = "", time.Time{} }, "event_id"},
		{"long id", func(e *Event) { e.ID = strings.Repeat("x", 10_000) }, "event_id"},
		{"control character", func(e *Event) { e.ID = "a\x00b" }, "event_id"},
		{"C1 control character", func(e *Event) { e.ID = "a\u0085b" }, "event_id"},
		{"invalid UTF-8", func(e *Event) { e.UserID = "a\xff" }, "user_id"},
		{"nobody", func(e *Event) { e.UserID, e.AnonymousID = "", "" }, "user_id"},
		{"long anonymous id", func(e *Event) { e.AnonymousID = strings.Repeat("x", 257) }, "anonymous_id"},
		{"bad session id", func(e *Event) { e.SessionID = "\x7f" }, "session_id"},
		{"no type", func(e *Event) { e.Type = "" }, "type"},
		{"capital type", func(e *Event) { e.Type = "Purchase!" }, "type"},
		{"long type", func(e *Event) { e.Type = Type(strings.Repeat("x", 65)) }, "type"},
		{"digit first", func(e *Event) { e.Type = "4u" }, "type"},
		{"year 1", func(e *Event) { e.OccurredAt = time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC) }, "occurred_at"},
		{"year 3000", func(e *Event) { e.OccurredAt = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC) }, "occurred_at"},
		{"six minutes ahead", func(e *Event) { e.OccurredAt = now.Add(6 * time.Minute) }, "occurred_at"},
		{"sent in year 3000", func(e *Event) { e.SentAt = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC) }, "sent_at"},
		{"purchase of nothing", func(e *Event) { e.Lines = nil }, "lines"},
		{"view of nothing", func(e *Event) { e.Type, e.Lines = ViewItem, nil }, "item_id"},
		{"alias of nothing", func(e *Event) { e.Type, e.Lines = "Product Viewed", nil }, "item_id"},
		{"too many lines", func(e *Event) { e.Lines = make([]Line, 1001) }, "lines"},
		{"line without an item", func(e *Event) { e.Lines[1].ItemID = "" }, "lines[1].item_id"},
		{"invalid UTF-8 in a line", func(e *Event) { e.Lines[1].ItemID = "\xc3" }, "lines[1].item_id"},
		{"no pieces", func(e *Event) { e.Lines[1].Quantity = 0 }, "lines[1].quantity"},
		{"too many pieces", func(e *Event) { e.Lines[0].Quantity = math.MaxInt64 }, "lines[0].quantity"},
		{"unknown currency", func(e *Event) { e.Lines[0].Price.Currency = "EUX" }, "lines[0].price.currency_code"},
		{"amount without a currency", func(e *Event) { e.Lines[0].Price.Currency = "" }, "lines[0].price.currency_code"},
		{"two currencies", func(e *Event) { e.Lines[1].Price = Money{"USD", 1} }, "lines[1].price.currency_code"},
		{"negative price", func(e *Event) { e.Lines[0].Price.Minor = -1 }, "lines[0].price.minor_units"},
		{"overflowing price", func(e *Event) { e.Lines[0].Price.Minor = math.MaxInt64 }, "lines[0].price.minor_units"},
		{"overflowing total", func(e *Event) { e.Lines[1].Price = Money{"EUR", MaxAmount / 2} }, "lines[1].price.minor_units"},
		{"negative value", func(e *Event) { e.Value = Money{"EUR", -5} }, "value.minor_units"},
		{"value in no currency", func(e *Event) { e.Value = Money{"eur", 5} }, "value.currency_code"},
		{"long query", func(e *Event) { e.SearchQuery = strings.Repeat("q", 1025) }, "search_query"},
		{"long placement", func(e *Event) { e.Placement = strings.Repeat("q", 257) }, "placement"},
		{"long recommendation id", func(e *Event) { e.RecommendationID = strings.Repeat("q", 257) }, "recommendation_id"},
		{"10 MB of attributes", func(e *Event) { e.Attributes = []byte(`{"a":"` + strings.Repeat("a", 10<<20) + `"}`) }, "attributes"},
		{"a list of attributes", func(e *Event) { e.Attributes = []byte(` [1]`) }, "attributes"},
		{"half an object", func(e *Event) { e.Attributes = []byte(`{"a":`) }, "attributes"},
		{"a trait that is a list", says(`{"a":1,"b":[1]}`), "attributes.b"},
		{"a trait that is an object", says(`{"a":{"b":1}}`), "attributes.a"},
		{"a long text", says(`{"a":"` + strings.Repeat("é", 129) + `"}`), "attributes.a"},
		{"not a number", says(`{"a":1,"b":NaN}`), "attributes.b"},
		{"a number beyond all", says(`{"b":-1e999,"a":1}`), "attributes.b"},
		{"a trait without a name", says(`{"":1}`), "attributes"},
		{"a name with a space", says(`{"first name":1}`), "attributes.first name"},
		{"a name with a digit first", says(`{"1st":1}`), "attributes.1st"},
		{"a name that is not ASCII", says(`{"größe":1}`), "attributes.größe"},
		{"a long name", says(`{"` + strings.Repeat("x", 65) + `":null}`), "attributes." + strings.Repeat("x", 32) + "..."},
		{"65 traits", says(traits(65)), "attributes"},
		{"10 MB of traits", says(`{"a":"` + strings.Repeat("a", 10<<20) + `"}`), "attributes"},
		{"a list of traits", says(`[1]`), "attributes"},
		{"half a trait", says(`{"a":1,`), "attributes"},
		{"traits not UTF-8", says("{\"a\":\"\xff\"}"), "attributes"},
		{"traits and a tail", says(`{"a":1} 2`), "attributes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := sale()
			if v := e.Validate(now); len(v) > 0 {
				t.Fatalf("before: %v", v)
			}
			c.spoil(&e)
			v := e.Validate(now)
			for _, one := range v {
				if one.Field == c.field && one.Rule != "" {
					return
				}
			}
			t.Errorf("want a violation of %s, got %v", c.field, v)
		})
	}
}

func TestValidateIsBounded(t *testing.T) {
	e := sale()
	e.Lines = make([]Line, MaxLines)
	if got := len(e.Validate(now)); got != maxViolations {
		t.Errorf("got %d violations, want %d", got, maxViolations)
	}
}

func TestValidEvents(t *testing.T) {
	for _, e := range []Event{
		{ID: "1", Type: ViewItem, SessionID: "s", ItemID: "x"},
		{Type: PageView, AnonymousID: "s", OccurredAt: now.Add(5 * time.Minute)},
		{ID: "1", Type: "Product Added", UserID: "u", Lines: []Line{{ItemID: "x", Quantity: 1}}},
		{ID: "1", Type: "my.own-type_2", UserID: "u", OccurredAt: time.Unix(0, 0)},
		{ID: "1", Type: Search, UserID: "u", SearchQuery: "tab\tand ünïcode"},
	} {
		if v := e.Validate(now); len(v) > 0 {
			t.Errorf("%+v: %v", e, v)
		}
	}
	e := sale()
	if n := testing.AllocsPerRun(100, func() { e.Attributes = nil; e.Validate(now) }); n != 0 {
		t.Errorf("a valid event costs %v allocations", n)
	}
}

func TestValidateItem(t *testing.T) {
	valid := func() Item {
		return Item{
			ID: "lamp", Title: "Lamp", Categories: []string{"Home > Lämps"}, Brand: "B", Price: Money{"JPY", 100},
			Availability: InStock, ImageURL: "/img/1.jpg", PageURL: "https://shop.example/p?q=1",
			Attributes: []byte(`{}`), AvailableFrom: now, AvailableUntil: now.Add(1),
		}
	}
	for _, c := range []struct {
		field string
		spoil func(*Item)
	}{
		{"item_id", func(i *Item) { i.ID = "" }},
		{"title", func(i *Item) { i.Title = strings.Repeat("x", MaxTitleBytes+1) }},
		{"title", func(i *Item) { i.Title = "\xff" }},
		{"brand", func(i *Item) { i.Brand = strings.Repeat("x", 257) }},
		{"categories", func(i *Item) { i.Categories = make([]string, 33) }},
		{"categories[0]", func(i *Item) { i.Categories[0] = "" }},
		{"categories[0]", func(i *Item) { i.Categories[0] = "\xff" }},
		{"price.currency_code", func(i *Item) { i.Price.Currency = "XXXX" }},
		{"price.minor_units", func(i *Item) { i.Price.Minor = -1 }},
		{"availability", func(i *Item) { i.Availability = 5 }},
		{"image_url", func(i *Item) { i.ImageURL = "javascript:alert(1)" }},
		{"page_url", func(i *Item) { i.PageURL = strings.Repeat("x", 5000) }},
		{"attributes", func(i *Item) { i.Attributes = []byte(`"x"`) }},
		{"available_from", func(i *Item) { i.AvailableFrom = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC) }},
		{"available_until", func(i *Item) { i.AvailableUntil = i.AvailableFrom }},
	} {
		i := valid()
		if v := i.Validate(); len(v) > 0 {
			t.Fatal(v)
		}
		c.spoil(&i)
		if v := i.Validate(); len(v) == 0 || v[0].Field != c.field {
			t.Errorf("want a violation of %s, got %v", c.field, v)
		}
	}
}

func TestValidCurrency(t *testing.T) {
	for code, want := range map[string]bool{"EUR": true, "GBP": true, "JPY": true, "": false, "eur": false, "EU": false, "ZZZ": false, "BGN": true, "DEM": true, "dem": false, "XXX": false} {
		if ValidCurrency(code) != want {
			t.Errorf("%q: want %v", code, want)
		}
	}
}

// says makes an event one that says so of its user.
func says(attributes string) func(*Event) {
	return func(e *Event) { e.Type, e.Attributes = "Identify", []byte(attributes) }
}

// traits returns n of them as JSON.
func traits(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"t%d":%d`, i, i)
	}
	return "{" + strings.Join(all, ",") + "}"
}

func TestTraits(t *testing.T) {
	for attributes, want := range map[string]map[string]any{
		"":        {},
		"{}":      {},
		traits(2): {"t0": 0.0, "t1": 1.0},
		"{ \"a\" : \"x\",\n\"B_2.c-d\" : null , \"yes\": true, \"no\": false, \"n\": -1.5e3, \"e\": \"\" }": {
			"a": "x", "B_2.c-d": nil, "yes": true, "no": false, "n": -1500.0, "e": "",
		},
		`{"` + strings.Repeat("x", 64) + `":"` + strings.Repeat("é", 128) + `"}`: {strings.Repeat("x", 64): strings.Repeat("é", 128)},
	} {
		e := Event{ID: "i", Type: "Identify", UserID: "zoë", Attributes: []byte(attributes)}
		if v := e.Validate(now); len(v) > 0 {
			t.Errorf("%.60s: %v", attributes, v)
		}
		e.Complete(now)
		if got := maps.Collect(e.Traits()); !maps.Equal(got, want) {
			t.Errorf("%.60s: %v, want %v", attributes, got, want)
		}
		e.Type = "mine"
		for key := range e.Traits() {
			t.Errorf("%s says %s of its user", e.Type, key)
		}
	}
	e := Event{ID: "i", Type: Identify, UserID: "zoë", Attributes: []byte(traits(64))}
	if v := e.Validate(now); len(v) > 0 {
		t.Error(v)
	}
	old := Event{Type: Identify, Attributes: []byte(`{"a":[1],"b b":2,"c":1e999,"d":{"e":1},"f":5}`)}
	if got := maps.Collect(old.Traits()); !maps.Equal(got, map[string]any{"f": 5.0}) {
		t.Errorf("of what is no trait came %v", got)
	}
}
