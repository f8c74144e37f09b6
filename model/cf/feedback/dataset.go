// Package feedback is implicit feedback, what visitors did: events weighed by their type (Weights),
// gathered (Builder) into who did what, when, and what was bought together (Dataset, what models are
// learned from), and what one visitor did (Signal; Dataset.History), which a model reads as a Taste.
package feedback

import (
	"cmp"
	"math"
	"slices"

	"github.com/attune-shop/attune/model/cf/sparse"
)

const (
	// MaxItemsPerUser bounds what one user says: the newest items count. It bounds the
	// work of co-occurrence, which is quadratic in it, and what a robot can do to a model.
	MaxItemsPerUser = 1000
	// MaxBasketItems is the size above which a basket is left out: a wholesaler's order or
	// a day's takings booked as one says nothing about any two of its items.
	MaxBasketItems = 200
	// LeastValue is what any interest counts at least, damped: a weight near 0 would round to
	// none, and leave an item whose users say nothing.
	LeastValue = 1. / (1 << 16)
)

// Entry is one interaction, by the numbers of user and item. Seconds from 1970 on fit into 32 bits
// until 2106.
type Entry struct {
	User, Item int32
	Weight     float32
	At         uint32
}

// Dataset is who did what, when, and what was bought together. It is immutable; users and
// items are numbered in the order of their ids.
type Dataset struct {
	userIDs        []string
	itemIDs        []string
	log            []Entry
	byUser, byItem sparse.Rows
	// places are in the order of byUser's entries.
	places  []int32
	baskets [][]int32
}

// Users is the number of users that have an interaction.
func (d *Dataset) Users() int { return len(d.userIDs) }

// Items is the number of items that have an interaction or are in a basket.
func (d *Dataset) Items() int { return len(d.itemIDs) }

// Interactions is the number of interactions that were added.
func (d *Dataset) Interactions() int { return len(d.log) }

// Pairs is the number of distinct (user, item) pairs that training uses.
func (d *Dataset) Pairs() int { return len(d.byUser.Columns) }

// Baskets are the baskets of two items and more, each one's distinct items in order. The caller must
// not change them, nor what the following return.
func (d *Dataset) Baskets() [][]int32 { return d.baskets }

// ItemIDs are the ids of items, in order.
func (d *Dataset) ItemIDs() []string { return d.itemIDs }

// Entries are all interactions, ordered by user, item, time and weight.
func (d *Dataset) Entries() []Entry { return d.log }

// ByUser holds damped weights, users x items.
func (d *Dataset) ByUser() *sparse.Rows { return &d.byUser }

// ByItem is the transpose of ByUser.
func (d *Dataset) ByItem() *sparse.Rows { return &d.byItem }

// TimePlaces has, for each entry of ByUser, its place in the user's order of time: how many
// different times of other items' last interactions lie before that of its own.
func (d *Dataset) TimePlaces() []int32 { return d.places }

// Builder collects a Dataset. It is not safe for concurrent use.
type Builder struct {
	users, items names
	log          []Entry
	baskets      [][]int32
}

// NewBuilder returns an empty Builder.
func NewBuilder() *Builder {
	return &Builder{users: names{}, items: names{}}
}

// Add says that a user showed interest in an item at a time in unix seconds. Weights of
// the same pair are summed. Weights that are not positive and finite, and empty ids, are
// left out.
func (b *Builder) Add(user, item string, weight float32, at int64) {
	if user == "" || item == "" || !(weight > 0) || math.IsInf(float64(weight), 0) {
		return
	}
	b.log = append(b.log, Entry{
		User: b.users.number(user), Item: b.items.number(item), Weight: weight, At: seconds(at),
	})
}

// AddBasket says that items were bought together. Items that repeat count once; baskets
// of one item and of more than MaxBasketItems are left out, their items are known all
// the same.
func (b *Builder) AddBasket(items []string) {
	basket := make([]int32, 0, len(items))
	for _, id := range items {
		if id != "" {
			basket = append(basket, b.items.number(id))
		}
	}
	slices.Sort(basket)
	basket = slices.Compact(basket)
	if len(basket) >= 2 && len(basket) <= MaxBasketItems {
		b.baskets = append(b.baskets, slices.Clip(basket))
	}
}

// Build returns the Dataset of everything added so far, the same whatever the order of
// the calls, and empties the Builder.
func (b *Builder) Build() *Dataset {
	userIDs, userOrder := b.users.sorted()
	itemIDs, itemOrder := b.items.sorted()
	for i := range b.log {
		b.log[i].User, b.log[i].Item = userOrder[b.log[i].User], itemOrder[b.log[i].Item]
	}
	slices.SortFunc(b.log, func(x, y Entry) int {
		return cmp.Or(cmp.Compare(x.User, y.User), cmp.Compare(x.Item, y.Item),
			cmp.Compare(x.At, y.At), cmp.Compare(x.Weight, y.Weight))
	})
	for _, basket := range b.baskets {
		for i := range basket {
			basket[i] = itemOrder[basket[i]]
		}
		slices.Sort(basket)
	}
	slices.SortFunc(b.baskets, slices.Compare)
	d := &Dataset{userIDs: userIDs, itemIDs: itemIDs, log: b.log, baskets: b.baskets}
	d.fill()
	*b = *NewBuilder()
	return d
}

// fill makes byUser, byItem and places from the log.
func (d *Dataset) fill() {
	d.byUser = sparse.NewRows(len(d.userIDs), len(d.itemIDs))
	var pairs []pair
	var times []uint32
	for from := 0; from < len(d.log); {
		user := d.log[from].User
		pairs, from = userPairs(d.log, from, pairs[:0])
		times = times[:0]
		for _, p := range pairs {
			times = append(times, p.last)
		}
		slices.Sort(times)
		times = slices.Compact(times)
		for _, p := range pairs {
			place, _ := slices.BinarySearch(times, p.last)
			d.byUser.Columns = append(d.byUser.Columns, p.item)
			d.byUser.Values = append(d.byUser.Values, float32(math.Max(damp(p.weight), LeastValue)))
			d.places = append(d.places, int32(place))
		}
		d.byUser.Ends[user] = int64(len(d.byUser.Columns))
	}
	d.byUser.Close()
	d.byItem = d.byUser.Transpose()
}

// pair is what one user did with one item.
type pair struct {
	item   int32
	weight float64
	last   uint32
}

// userPairs sums up the interactions of the user at log[from], and tells where the next user
// begins: the MaxItemsPerUser items with the newest interactions, in the order of items.
func userPairs(log []Entry, from int, into []pair) ([]pair, int) {
	user := log[from].User
	i := from
	for i < len(log) && log[i].User == user {
		p := pair{item: log[i].Item}
		for ; i < len(log) && log[i].User == user && log[i].Item == p.item; i++ {
			p.weight += float64(log[i].Weight)
			p.last = log[i].At
		}
		into = append(into, p)
	}
	if len(into) > MaxItemsPerUser {
		slices.SortFunc(into, func(x, y pair) int {
			return cmp.Or(cmp.Compare(y.last, x.last), cmp.Compare(x.item, y.item))
		})
		into = into[:MaxItemsPerUser]
		slices.SortFunc(into, func(x, y pair) int { return cmp.Compare(x.item, y.item) })
	}
	return into, i
}

// Keep returns a dataset of the interactions that are chosen; users and items keep their
// numbers. Baskets are left out: they are not evaluated.
func (d *Dataset) Keep(chosen func(Entry) bool) *Dataset {
	kept := &Dataset{userIDs: d.userIDs, itemIDs: d.itemIDs}
	for _, x := range d.log {
		if chosen(x) {
			kept.log = append(kept.log, x)
		}
	}
	kept.fill()
	return kept
}

// TimePlacesByItem are TimePlaces for the entries of ByItem.
func (d *Dataset) TimePlacesByItem() []int32 {
	next := make([]int64, d.byItem.Len())
	for i := range next {
		next[i], _ = d.byItem.Span(int32(i))
	}
	places := make([]int32, len(d.places))
	for k, i := range d.byUser.Columns { // users come in order here and there
		places[next[i]] = d.places[k]
		next[i]++
	}
	return places
}

// Dated tells whether the times of interactions say in which order they came: whether at
// least half of the users with two items and more have different times.
func (d *Dataset) Dated() bool {
	several, ordered := 0, 0
	for u := range d.userIDs {
		from, to := d.byUser.Span(int32(u))
		if to-from < 2 {
			continue
		}
		several++
		if slices.Max(d.places[from:to]) > 0 {
			ordered++
		}
	}
	return several > 0 && 2*ordered >= several
}

// Active are the items with an interaction, in order.
func (d *Dataset) Active() []int32 {
	var active []int32
	for i := range d.itemIDs {
		if users, _ := d.byItem.Row(int32(i)); len(users) > 0 {
			active = append(active, int32(i))
		}
	}
	return active
}

// Popularity returns what all users' damped weights for each item add up to, or the number
// of its baskets where that is more: not every buyer is known.
func (d *Dataset) Popularity() []float32 {
	sums := make([]float64, len(d.itemIDs))
	for i := range sums {
		_, values := d.byItem.Row(int32(i))
		for _, x := range values {
			sums[i] += float64(x)
		}
	}
	sold := make([]float64, len(d.itemIDs))
	for _, basket := range d.baskets {
		for _, i := range basket {
			sold[i]++
		}
	}
	popular := make([]float32, len(sums))
	for i, sum := range sums {
		popular[i] = float32(max(sum, sold[i]))
	}
	return popular
}

// names numbers texts in the order in which they come.
type names map[string]int32

func (n names) number(id string) int32 {
	i, ok := n[id]
	if !ok {
		i = int32(len(n))
		n[id] = i
	}
	return i
}

// sorted returns the texts in order and, for each number given, the place in that order.
func (n names) sorted() (ids []string, order []int32) {
	ids = make([]string, 0, len(n))
	for id := range n {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	order = make([]int32, len(ids))
	for place, id := range ids {
		order[n[id]] = int32(place)
	}
	return ids, order
}

func seconds(at int64) uint32 { return uint32(min(max(at, 0), math.MaxUint32)) }
