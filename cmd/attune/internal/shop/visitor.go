package shop

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// visitor is a person and the chances of what the person does.
type visitor struct {
	person Person
	// liking has a weight for each item.
	liking []float64
	// visits is how often the visitor comes.
	visits int
	// loggedIn is the number of visits before the first log-in.
	loggedIn int
}

// firstNames make user ids that people can tell apart.
var firstNames = []string{
	"anna", "ben", "carla", "david", "elena", "felix", "greta", "hugo", "ines", "jonas", "klara", "leo", "mira", "nils",
	"olga", "paul", "quinn", "rosa", "sami", "tilda", "umar", "vera", "wim", "xenia", "yusuf", "zoe",
}

// makeVisitor gives visitor i a name and a taste: two or three favourite categories, a
// style, and a purse.
func makeVisitor(random *rand.Rand, goods *goods, i int) *visitor {
	v := &visitor{visits: 2 + int(random.ExpFloat64()*7)}
	v.person.UserID = firstNames[i%len(firstNames)]
	if round := i / len(firstNames); round > 0 {
		v.person.UserID = fmt.Sprintf("%s-%d", v.person.UserID, round+1)
	}
	v.person.AnonymousID = fmt.Sprintf("browser-%04d", i+1)
	switch kind := random.IntN(100); {
	case kind < 12: // never logs in
		v.person.UserID, v.loggedIn = "", math.MaxInt
	case kind < 35: // logs in some day
		v.loggedIn = 1 + random.IntN(3)
	}

	interest := make([]float64, len(shelves))
	for at := range interest {
		interest[at] = 0.03
	}
	first := random.IntN(len(shelves))
	favourites := []int{first, shelves[first].beside}
	if third := random.IntN(len(shelves)); !slices.Contains(favourites, third) {
		favourites = append(favourites, third)
	}
	for rank, at := range favourites {
		interest[at] = 1 / float64(1+rank)
		v.person.Favourites = append(v.person.Favourites, shelves[at].category)
	}
	style := random.IntN(len(styles))
	v.person.Style = styles[style].name
	purse := math.Exp(0.5 * random.NormFloat64())

	v.liking = make([]float64, len(goods.all))
	for i, g := range goods.all {
		v.liking[i] = interest[g.shelf] * g.appeal * cost(g, purse)
		if g.style == style {
			v.liking[i] *= 6
		}
	}
	return v
}

// cost lowers the liking of what is dear on its shelf, the more the lighter the purse.
func cost(g *good, purse float64) float64 {
	s := &shelves[g.shelf]
	dear := math.Log(float64(g.item.GetPrice().GetMinorUnits())/float64(s.low)) / math.Log(float64(s.high)/float64(s.low))
	return math.Exp(-dear / purse)
}
