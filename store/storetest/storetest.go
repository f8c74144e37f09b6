// Package storetest holds every implementation of package store to its contract: each
// "must" in those comments is a case here. A fresh store a case.
package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// Place is where one store lives, across being closed and opened again.
type Place interface {
	// Open opens the store of this place; it is closed before it is opened again.
	Open(t testing.TB) store.Stores
	// Crash ends an open store as a kill or a power cut does and returns what is found afterwards, or nil
	// where the implementation cannot stand in for that.
	Crash(t testing.TB, s store.Stores) store.Stores
}

// Run runs every case, each on a place of its own.
func Run(t *testing.T, newPlace func(t *testing.T) Place) {
	for _, group := range [][]testCase{logCases, eventCases, visitorCases, linkCases, featureCases, catalogCases, rejectedCases, modelCases, checkpointCases, leaseCases, registerCases, transitionCases, memberCases, timerCases, callCases} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				place := newPlace(t)
				s := &suite{T: t, place: place, Stores: place.Open(t), ctx: context.Background(), found: map[foundKey]store.Stored{}}
				t.Cleanup(func() { s.must(s.Close()) })
				c.run(s)
			})
		}
	}
}

type testCase struct {
	name string
	run  func(s *suite)
}

// suite is one case under way.
type suite struct {
	*testing.T
	store.Stores
	place Place
	ctx   context.Context
	// found is what was read of features, for those who swap it later.
	found map[foundKey]store.Stored
}

// must ends the case where err is not nil.
func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// wants reports an error that is not the sentinel.
func (s *suite) wants(err, sentinel error) {
	s.Helper()
	if !errors.Is(err, sentinel) {
		s.Errorf("error is %v, want %v", err, sentinel)
	}
}

func (s *suite) reopen() {
	s.Helper()
	s.must(s.Close())
	s.Stores = s.place.Open(s.T)
}

// crash goes on with what a kill leaves, and leaves the case out where that cannot be had.
func (s *suite) crash() {
	s.Helper()
	after := s.place.Crash(s.T, s.Stores)
	if after == nil {
		s.Skip("this store's crash cannot be played here")
	}
	s.Stores = after
}

// inShard returns n distinct users of a shard.
func (s *suite) inShard(shard, n int) []event.Visitor {
	var found []event.Visitor
	for i := 0; len(found) < n; i++ {
		if v := event.User("user-" + string(rune('a'+i%26)) + "-" + number(i)); store.ShardOf(v, s.Shards()) == shard {
			found = append(found, v)
		}
	}
	return found
}
