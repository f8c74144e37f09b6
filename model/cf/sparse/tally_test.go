package sparse

import (
	"math"
	"slices"
	"testing"
)

func TestTallyKeepsWhatItHasWhereItGrows(t *testing.T) {
	var s Tally
	s.Grow(2)
	s.Add(1, .5)
	s.Add(1, .25)
	s.Grow(4)
	s.Add(3, 2)
	s.Grow(1)
	if !slices.Equal(s.Sum, []float32{0, .75, 0, 2}) || !slices.Equal(s.Touched, []int32{1, 3}) {
		t.Fatalf("%+v", s)
	}
}

func TestTallyDrainsEachItemOnce(t *testing.T) {
	var s Tally
	s.Grow(5)
	s.AddRow(2, []int32{0, 1, 3}, []float32{1, -.5, 1})
	s.AddRow(1, []int32{1, 3, 4}, []float32{1, 1, 0}) // the sum of 1 is 0 again
	s.AddRow(1, []int32{1}, []float32{4})             // and then not
	got := s.Drain([]Candidate{{Item: 9}})
	if want := []Candidate{{Item: 9}, {0, 2}, {1, 4}, {3, 3}}; !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	if len(s.Touched) > 0 || slices.ContainsFunc(s.Sum, func(x float32) bool { return x != 0 }) {
		t.Fatalf("%+v is left", s)
	}
}

func TestNone(t *testing.T) {
	negative := float32(math.Copysign(0, -1))
	for x, want := range map[float32]int{
		0: 1, 1: 0, -1: 0, math.SmallestNonzeroFloat32: 0, -math.SmallestNonzeroFloat32: 0,
		math.MaxFloat32: 0, -math.MaxFloat32: 0, float32(math.Inf(1)): 0, float32(math.Inf(-1)): 0,
	} {
		if got := none(x); got != want {
			t.Errorf("none(%g) = %d", x, got)
		}
	}
	if none(negative) != 1 || none(float32(math.NaN())) != 0 {
		t.Error("none of -0 or of what is no number")
	}
}
