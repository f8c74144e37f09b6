package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/attune-shop/attune/store"
)

// benchPut is the number of users of one call of PutMembers, and of Members.
const benchPut = 1_000

// BenchMembers measures what is published of so many users, each in so many segments: putting
// all of it, the change of one segment a user, and reading it by user and by segment.
func BenchMembers(b *testing.B, users, segments int, open func(b *testing.B) store.Stores) {
	s, ctx := open(b), context.Background()
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	ids := make([][]string, s.Shards())
	for i := range users {
		id := fmt.Sprintf("user-%07d", i*7_919%users)
		ids[i%s.Shards()] = append(ids[i%s.Shards()], id)
	}
	every := make([]uint32, segments)
	for i := range every {
		every[i] = uint32(i*3 + 1)
	}
	stamp := uint64(0)
	put := func(shard int, some []string, was, now []uint32) {
		changes := make([]store.MemberChange, len(some))
		for i, id := range some {
			changes[i] = store.MemberChange{Was: was, Now: store.Member{UserID: id, Segments: now, Due: time.UnixMilli(1_800_000_000_000 + int64(i))}}
		}
		stamp++
		must(s.PutMembers(ctx, shard, stamp, changes, nil))
	}
	began := time.Now()
	for shard := range ids {
		for some := range slices.Chunk(ids[shard], benchPut) {
			put(shard, some, nil, every)
		}
	}
	b.Logf("%d memberships put in %v", users*segments, time.Since(began))
	some := ids[0][:min(benchPut, len(ids[0]))]
	perUser := func(b *testing.B) {
		b.ReportMetric(float64(b.N*len(some))/b.Elapsed().Seconds(), "users/s")
	}

	b.Run("put/all segments of 1000 users", func(b *testing.B) {
		for n := range b.N {
			was, now := every, []uint32(nil)
			if n%2 == 0 {
				was, now = nil, every
			}
			put(0, some, was, now)
		}
		perUser(b)
	})
	put(0, some, nil, every)
	b.Run("put/one segment of 1000 users", func(b *testing.B) {
		more := append(slices.Clone(every), 1<<20)
		for n := range b.N {
			was, now := more, every
			if n%2 == 0 {
				was, now = every, more
			}
			put(0, some, was, now)
		}
		perUser(b)
	})
	b.Run("members/1000 users", func(b *testing.B) {
		for n := range b.N {
			shard := n % s.Shards()
			from := n * benchPut % max(1, len(ids[shard])-len(some))
			members, err := s.Members(ctx, shard, ids[shard][from:from+len(some)])
			must(err)
			if len(members[0].Segments) < segments {
				b.Fatalf("%v", members[0])
			}
		}
		perUser(b)
	})
	b.Run("read/a segment of all users", func(b *testing.B) {
		read := 0
		for n := range b.N {
			must(s.ReadSegment(ctx, every[n%segments], store.Place{}, func(store.Place) error { read++; return nil }))
		}
		if read != b.N*users {
			b.Errorf("%d members read", read)
		}
		b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "members/s")
	})
}
