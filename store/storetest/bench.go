package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

const (
	benchVisitors = 50_000
	benchData     = 150 // bytes of an event
	benchValue    = 600 // bytes of a visitor's features
)

// Bench measures the way of events through a store as package history goes it: read
// features, append a row, put the events, swap the features; flush and mark now and
// then. One writer a shard, rows of 1, 100 and 500 events.
func Bench(b *testing.B, open func(b *testing.B) store.Stores) {
	for _, group := range []int{1, 100, 500} {
		b.Run(fmt.Sprintf("events/row=%d", group), func(b *testing.B) {
			s := open(b)
			visitors := make([][]event.Visitor, s.Shards())
			for i := range benchVisitors {
				v := event.User("user-" + number(i))
				shard := store.ShardOf(v, s.Shards())
				visitors[shard] = append(visitors[shard], v)
			}
			b.ResetTimer()
			var running sync.WaitGroup
			for shard := range s.Shards() {
				rows := b.N / group / s.Shards()
				if shard < b.N/group%s.Shards() {
					rows++
				}
				running.Go(func() {
					if err := benchShard(s, shard, rows, group, visitors[shard]); err != nil {
						b.Error(err)
					}
				})
			}
			running.Wait()
			b.ReportMetric(float64(b.N/group*group)/b.Elapsed().Seconds(), "events/s")
			b.StopTimer()
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}

func benchShard(s store.Stores, shard, rows, group int, visitors []event.Visitor) error {
	ctx := context.Background()
	row := make([]byte, group*benchData)
	records := make([]store.Record, group)
	changes := make([]store.Change, 0, group)
	for n := range rows {
		seq := store.Seq(n + 1)
		changes = changes[:0]
		// Five events a visitor in a row.
		for i := range group {
			at := n*group + i
			v := visitors[at/5%len(visitors)]
			records[i] = store.Record{Visitor: v, EventID: "event-" + number(at), Seq: seq, Data: row[i*benchData : (i+1)*benchData]}
			if i == 0 || v != records[i-1].Visitor {
				changes = append(changes, store.Change{Visitor: v})
			}
		}
		asked := make([]event.Visitor, len(changes))
		for i, c := range changes {
			asked[i] = c.Visitor
		}
		values, err := s.GetFeatures(ctx, shard, asked)
		if err != nil {
			return err
		}
		for i := range changes {
			changes[i].Old, changes[i].New = values[i], make([]byte, benchValue)
			changes[i].New[0] = byte(n)
		}
		if err := s.Append(ctx, shard, seq, row); err != nil {
			return err
		}
		if err := s.PutEvents(ctx, shard, records); err != nil {
			return err
		}
		done, err := s.SwapFeatures(ctx, shard, changes)
		if err != nil {
			return err
		}
		for i := range done {
			if !done[i] {
				return fmt.Errorf("the change of %q was left undone", changes[i].Visitor)
			}
		}
		if n%100 == 99 {
			if err := s.FlushFeatures(ctx, shard); err != nil {
				return err
			}
			if err := s.SetMark(ctx, shard, seq); err != nil {
				return err
			}
		}
	}
	return nil
}
