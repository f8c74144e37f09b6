package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// chunk bounds the visitors of one script, for Redis does nothing else meanwhile.
const chunk = 256

// LosesFeatures implements store.Features.
func (s *Store) LosesFeatures() bool { return true }

// FlushFeatures implements store.Features: nothing waits here.
func (s *Store) FlushFeatures(ctx context.Context, _ int) error { return ctx.Err() }

// shardKey is that of a shard's generation, and how the keys of its visitors begin.
func (s *Store) shardKey(shard int) string { return s.prefix + strconv.Itoa(shard) + "}" }

// keys returns those that the scripts want.
func (s *Store) keys(shard int, visitors int, at func(i int) event.Visitor) []string {
	keys := make([]string, 1, 1+2*visitors)
	keys[0] = s.shardKey(shard)
	for i := range visitors {
		keys = append(keys, keys[0]+":"+string(at(i)), keys[0]+"?"+string(at(i)))
	}
	return keys
}

// run runs a script, whose answer has so many elements.
func (s *Store) run(ctx context.Context, script *redis.Script, keys []string, args []any, elements int) (answer []any, err error) {
	err = s.breaker.Do(ctx, func(ctx context.Context) error {
		answer, err = script.Run(ctx, s.client, keys, args...).Slice()
		return translate(err)
	})
	if err == nil && len(answer) != elements {
		err = fmt.Errorf("redis: %d answers of %d: %w", len(answer), elements, event.ErrCorrupt)
	}
	if err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	return answer, nil
}

// random returns the random half of a token, or a generation.
func random() []byte {
	bytes := make([]byte, halfLen)
	rand.Read(bytes)
	return bytes
}

// BeginEpoch implements store.Features.
func (s *Store) BeginEpoch(ctx context.Context, shard int, instead string) (store.Epoch, error) {
	answer, err := s.run(ctx, beginScript, []string{s.shardKey(shard)}, []any{instead, random()}, 2)
	if err != nil {
		return store.Epoch{}, err
	}
	id, _ := answer[0].(string)
	return store.Epoch{ID: id, New: answer[1] == int64(1)}, ctx.Err()
}

// GetFeatures implements store.Features: one round trip for 256 visitors.
func (s *Store) GetFeatures(ctx context.Context, shard int, visitors []event.Visitor) ([]store.Stored, error) {
	found := make([]store.Stored, 0, len(visitors))
	for part := range slices.Chunk(visitors, chunk) {
		keys := s.keys(shard, len(part), func(i int) event.Visitor { return part[i] })
		answer, err := s.run(ctx, getScript, keys, []any{random(), random(), ticketSecs}, len(part)+1)
		if err != nil {
			return nil, err
		}
		for _, element := range answer[:len(part)] {
			stored, err := decode(element)
			if err != nil {
				return nil, err
			}
			stored.Epoch.New = answer[len(part)] == int64(1)
			found = append(found, stored)
		}
	}
	return found, ctx.Err()
}

// decode reads an element of getScript's answer.
func decode(element any) (store.Stored, error) {
	text, _ := element.(string)
	switch {
	case len(text) == 1+tokenLen && text[0] == '?':
		return store.Stored{Token: text[1:], Epoch: store.Epoch{ID: text[1 : 1+halfLen]}}, nil
	case len(text) >= 1+tokenLen && text[0] == '=':
		return store.Stored{
			Token: text[1 : 1+tokenLen], Value: []byte(text[1+tokenLen:]), Epoch: store.Epoch{ID: text[1 : 1+halfLen]},
		}, nil
	}
	return store.Stored{}, fmt.Errorf("features: %d bytes in redis: %w", len(text), event.ErrCorrupt)
}

// SwapFeatures implements store.Features: one round trip for 256 visitors.
func (s *Store) SwapFeatures(ctx context.Context, shard int, changes []store.Change) ([]bool, error) {
	done := make([]bool, 0, len(changes))
	for part := range slices.Chunk(changes, chunk) {
		keys := s.keys(shard, len(part), func(i int) event.Visitor { return part[i].Visitor })
		args := []any{random(), int64(s.ttl.Seconds())}
		for _, c := range part {
			value := []byte{}
			if c.New != nil {
				value = append([]byte{'='}, c.New...)
			}
			args = append(args, c.Old.Token, value)
		}
		answer, err := s.run(ctx, swapScript, keys, args, len(part))
		if err != nil {
			return nil, err
		}
		for _, element := range answer {
			done = append(done, element == int64(1))
		}
	}
	return done, ctx.Err()
}

// ScanFeatures implements store.Features.
func (s *Store) ScanFeatures(ctx context.Context, fn func(event.Visitor, []byte) error) error {
	return s.eachMaster(ctx, func(ctx context.Context, master redis.Cmdable) error {
		for cursor := uint64(0); ; {
			keys, next, err := master.Scan(ctx, cursor, s.prefix+"*}:*", 1000).Result()
			if err != nil {
				return translate(err)
			}
			if err := s.each(ctx, keys, fn); err != nil {
				return err
			}
			if cursor = next; cursor == 0 {
				return ctx.Err()
			}
		}
	})
}

// each calls fn for those of the keys that hold features of this generation.
func (s *Store) each(ctx context.Context, keys []string, fn func(event.Visitor, []byte) error) error {
	byShard := map[int][]event.Visitor{}
	for _, key := range keys {
		number, visitor, _ := strings.Cut(strings.TrimPrefix(key, s.prefix), "}:")
		if shard, err := strconv.Atoi(number); err == nil {
			byShard[shard] = append(byShard[shard], event.Visitor(visitor))
		}
	}
	for shard, visitors := range byShard {
		found, err := s.GetFeatures(ctx, shard, visitors)
		if err != nil {
			return err
		}
		for i, stored := range found {
			if stored.Value == nil {
				continue
			}
			if err := fn(visitors[i], stored.Value); err != nil {
				return err
			}
		}
	}
	return nil
}
