package sparse

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestKeepBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores := rapid.SliceOfN(rapid.IntRange(-3, 3), 0, 60).Draw(t, "scores")
		n := rapid.IntRange(-1, 70).Draw(t, "n")
		all := make([]Candidate, len(scores))
		for i, x := range scores {
			all[i] = Candidate{Item: int32(i), Score: float32(x)}
		}
		want := slices.Clone(all)
		ByScore(want)
		want = want[:min(max(n, 0), len(want))]
		got := slices.Clone(KeepBest(all, n))
		ByScore(got)
		if len(got) != len(want) || len(got) > 0 && !cmp.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}
