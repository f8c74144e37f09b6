package rank

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/rank/expr"
	"github.com/attune-shop/attune/model/trend"
)

// The scripts in testdata read from top to bottom: what there is, then requests, each
// followed by the list that it must answer, a line an item after "=". The commands are
//
//	now TIME
//	item ID [title=T] [category=PATH]... [brand=B] [price=MINOR] [out] [from=TIME] [until=TIME] [attributes=JSON]
//	delete ID
//	model ID ITEM:WEIGHT...        the model knows ID and what goes with it
//	popular ID...                  the model's popular items, best first
//	together ID ITEM:WEIGHT...
//	trending ITEM:COUNT...
//	event WHO TYPE ITEM AGO [quantity=N]
//	recommend|similar|together?|trending?|rerank|viewed|again WHO [ITEM...] [option=value]...
//
// Fields with spaces stand in back quotes.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := newWorld(t)
	var asked string
	var got, want []string
	check := func() {
		if asked != "" {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s\n-want +got\n%s", asked, diff)
			}
		}
		asked, got, want = "", nil, nil
	}
	lines := bufio.NewScanner(f)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "="):
			want = append(want, strings.TrimSpace(line[1:]))
		default:
			check()
			words := fieldsOf(line)
			if w.set(words) {
				continue
			}
			asked = fmt.Sprintf("%s:%d: %s", file, number, line)
			got = w.ask(words)
		}
	}
	check()
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

func fieldsOf(line string) []string {
	quoted := false
	fields := strings.FieldsFunc(line, func(r rune) bool {
		if r == '`' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	})
	for i := range fields {
		fields[i] = strings.ReplaceAll(fields[i], "`", "")
	}
	return fields
}

// world is what a script has set up.
type world struct {
	t        *testing.T
	now      time.Time
	items    map[string]*event.Item
	model    *table
	trending []trend.Count
	states   map[string]*feature.State
	events   int
	rules    *expr.Compiler
}

func newWorld(t *testing.T) *world {
	rules, err := expr.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		t: t, now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), items: map[string]*event.Item{},
		states: map[string]*feature.State{}, rules: rules,
	}
}

func (w *world) Item(id string) (*event.Item, bool) { i, ok := w.items[id]; return i, ok }
func (w *world) Len() int                           { return len(w.items) }
func (w *world) Each(fn func(*event.Item) bool) {
	for _, i := range w.items {
		if !fn(i) {
			return
		}
	}
}

// set carries out a command that asks nothing, and tells whether it was one.
func (w *world) set(words []string) bool {
	args := words[1:]
	switch words[0] {
	case "now":
		w.now = w.time(args[0])
	case "item":
		w.items[args[0]] = w.item(args)
	case "delete":
		delete(w.items, args[0])
	case "model", "together", "popular":
		if w.model == nil {
			w.model = &table{numbers: map[string]int32{}, goes: map[int32]map[int32]float32{}, with: map[int32]map[int32]float32{}}
		}
		w.model.set(words[0], args, w.weighted)
	case "trending":
		w.trending = nil
		for _, a := range args {
			id, n := w.weighted(a)
			w.trending = append(w.trending, trend.Count{ItemID: id, Score: float64(n)})
		}
	case "event":
		w.event(args)
	default:
		return false
	}
	return true
}

func (w *world) time(s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		w.t.Fatal(err)
	}
	return at
}

func (w *world) weighted(s string) (string, float32) {
	id, weight, _ := strings.Cut(s, ":")
	f, err := strconv.ParseFloat(weight, 32)
	if err != nil {
		w.t.Fatalf("%s: %v", s, err)
	}
	return id, float32(f)
}

func (w *world) item(args []string) *event.Item {
	i := &event.Item{ID: args[0], Availability: event.InStock}
	for _, a := range args[1:] {
		key, value, _ := strings.Cut(a, "=")
		switch key {
		case "title":
			i.Title = value
		case "category":
			i.Categories = append(i.Categories, value)
		case "brand":
			i.Brand = value
		case "price":
			minor, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				w.t.Fatal(err)
			}
			i.Price = event.Money{Currency: "EUR", Minor: minor}
		case "out":
			i.Availability = event.OutOfStock
		case "from":
			i.AvailableFrom = w.time(value)
		case "until":
			i.AvailableUntil = w.time(value)
		case "attributes":
			if !json.Valid([]byte(value)) {
				w.t.Fatalf("attributes of %s: %s", i.ID, value)
			}
			i.Attributes = []byte(value)
		default:
			w.t.Fatalf("item %s: what is %s?", i.ID, key)
		}
	}
	return i
}

func (w *world) event(args []string) {
	ago, err := time.ParseDuration(args[3])
	if err != nil {
		w.t.Fatal(err)
	}
	w.events++
	e := event.Event{
		ID: fmt.Sprint("e", w.events), Type: event.Type(args[1]), UserID: args[0], ItemID: args[2], OccurredAt: w.now.Add(-ago),
	}
	if e.Type == event.Purchase || e.Type == event.Refund {
		e.ItemID, e.Lines = "", []event.Line{{ItemID: args[2], Quantity: 1}}
	}
	if w.states[args[0]] == nil {
		w.states[args[0]] = &feature.State{}
	}
	w.states[args[0]].Fold(&e)
}

// ask answers a request as lines "id", or "id reason..." with explain, or the error.
func (w *world) ask(words []string) []string {
	shop := &Shop{Catalog: w, Trending: func() []trend.Count { return w.trending }, Now: w.now, Weights: map[event.Type]float64{
		event.ViewItem: 1, event.AddToCart: 3, event.Purchase: 5, event.RemoveFromCart: -2,
	}}
	if w.model != nil {
		shop.Model = w.model
	}
	shop.Content = NewContent(w, shop.Model)
	visitor := &Visitor{}
	if who := words[1]; who != "nobody" {
		visitor.Key, visitor.State = event.User(who), w.states[who]
	}
	query, ids, category, err := w.query(visitor, words[2:])
	var entries []Entry
	if err == nil {
		entries, err = w.list(words[0], shop, visitor, query, ids, category)
	}
	if err != nil {
		return []string{"error " + err.Error()}
	}
	var out []string
	for _, e := range entries {
		line := e.ItemID
		for _, r := range e.Reasons {
			line += fmt.Sprintf(" | %s %.2f %s", r.Model, r.Share, r.Text)
		}
		out = append(out, line)
	}
	if !slices.IsSortedFunc(entries, func(a, b Entry) int {
		return -int(1e9*a.Score) + int(1e9*b.Score)
	}) {
		out = append(out, fmt.Sprintf("scores do not fall: %+v", entries))
	}
	return out
}

func (w *world) list(name string, shop *Shop, visitor *Visitor, query *Query, ids []string, category string) ([]Entry, error) {
	ctx, scratch := context.Background(), &Scratch{}
	switch name {
	case "recommend":
		return Recommend(ctx, shop, visitor, query, scratch)
	case "similar":
		return Similar(ctx, shop, visitor, query, scratch, ids[0])
	case "together?":
		return Together(ctx, shop, visitor, query, scratch, ids)
	case "trending?":
		return Trending(ctx, shop, visitor, query, scratch, w.trending, category)
	case "rerank":
		return Rerank(ctx, shop, visitor, query, scratch, ids)
	case "viewed":
		return RecentlyViewed(ctx, shop, visitor, query, scratch)
	case "again":
		return BuyAgain(ctx, shop, visitor, query, scratch)
	}
	return nil, errors.New("what is " + name + "?")
}

func (w *world) query(visitor *Visitor, args []string) (q *Query, ids []string, category string, err error) {
	q = &Query{Limit: 10, Exclude: map[string]struct{}{}}
	for _, a := range args {
		key, value, option := strings.Cut(a, "=")
		if !option {
			ids = append(ids, a)
			continue
		}
		switch key {
		case "limit":
			q.Limit, err = strconv.Atoi(value)
		case "filter":
			q.Filter, err = w.rules.Filter(value)
		case "boost":
			q.Boost, err = w.rules.Boost(value)
		case "exclude":
			q.Exclude[value] = struct{}{}
		case "exclude_bought":
			q.ExcludeBought = true
		case "exclude_seen":
			q.ExcludeSeen = true
		case "exclude_in_cart":
			q.ExcludeInCart = true
		case "max_per_category":
			q.MaxPerCategory, err = strconv.Atoi(value)
		case "explain":
			q.Explain = true
		case "category":
			category = value
		case "session":
			kind, item, _ := strings.Cut(value, ":")
			visitor.Session = append(visitor.Session, feature.Interaction{ItemID: item, Type: event.Type(kind), Quantity: 1})
		default:
			err = errors.New("what is " + key + "?")
		}
		if err != nil {
			return nil, nil, "", err
		}
	}
	return q, ids, category, nil
}

// table is a linear model that a script writes down: an item's score is the sum of its
// weights with the visitor's items.
type table struct {
	ids        []string
	numbers    map[string]int32
	goes, with map[int32]map[int32]float32
	popular    []cf.Candidate
}

func (m *table) number(id string) int32 {
	n, ok := m.numbers[id]
	if !ok {
		n = int32(len(m.ids))
		m.numbers[id], m.ids = n, append(m.ids, id)
	}
	return n
}

func (m *table) set(what string, args []string, weighted func(string) (string, float32)) {
	if what == "popular" {
		for i, id := range args {
			m.popular = append(m.popular, cf.Candidate{Item: m.number(id), Score: float32(len(args) - i)})
		}
		return
	}
	rows := m.goes
	if what == "together" {
		rows = m.with
	}
	from := m.number(args[0])
	rows[from] = map[int32]float32{}
	for _, a := range args[1:] {
		id, weight := weighted(a)
		rows[from][m.number(id)] = weight
	}
}

func (m *table) Algorithm() string                      { return "table" }
func (m *table) Items() int                             { return len(m.ids) }
func (m *table) ItemID(i int32) string                  { return m.ids[i] }
func (m *table) Popular() []cf.Candidate                { return m.popular }
func (m *table) Index(id string) (int32, bool)          { n, ok := m.numbers[id]; return n, ok }
func (m *table) Similar(i int32, n int) []cf.Candidate  { return best(m.goes[i], n) }
func (m *table) Together(i int32, n int) []cf.Candidate { return best(m.with[i], n) }

func (m *table) Score(history []feedback.Signal, _ *cf.Scratch) []cf.Candidate {
	sums := map[int32]float32{}
	for _, s := range history {
		for to, w := range m.goes[s.Item] {
			sums[to] += s.Weight * w
		}
	}
	return best(sums, len(sums))
}

func (m *table) ScoreItems(history []feedback.Signal, _ []int32, scratch *cf.Scratch) []cf.Candidate {
	return m.Score(history, scratch)
}

func (m *table) Explainer(history []feedback.Signal) func(item int32) []cf.Contribution {
	return func(item int32) []cf.Contribution {
		var parts []cf.Contribution
		sum := float32(0)
		for i, s := range history {
			if w := s.Weight * m.goes[s.Item][item]; w > 0 {
				parts = append(parts, cf.Contribution{From: i, Share: w})
				sum += w
			}
		}
		for i := range parts {
			parts[i].Share /= sum
		}
		slices.SortStableFunc(parts, func(a, b cf.Contribution) int { return int(1e6*b.Share) - int(1e6*a.Share) })
		return parts
	}
}

func best(weights map[int32]float32, n int) []cf.Candidate {
	var out []cf.Candidate
	for i, w := range weights {
		out = append(out, cf.Candidate{Item: i, Score: w})
	}
	slices.SortFunc(out, func(a, b cf.Candidate) int {
		if better(&a, &b) {
			return -1
		}
		return 1
	})
	return out[:min(n, len(out))]
}
