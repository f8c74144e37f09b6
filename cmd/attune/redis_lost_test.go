package main_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/store/testservers"
)

// crowd is users who act, each on its own, and after each act ask for what is known of them.
type crowd struct {
	t      *testing.T
	server func() *service
	// sent counts the writes, acts those that were acknowledged.
	sent, acts atomic.Int64
	// whole counts the lists that were made with what is known of the user, degraded those
	// that were made without.
	whole, degraded atomic.Int64
	// refused counts what was answered with an error.
	refused struct{ writes, reads, lists atomic.Int64 }
	// patient says that errors are to be expected, as long as they are clear.
	patient atomic.Bool
	running sync.WaitGroup
	stop    context.CancelFunc
}

const crowdSize = 40

// gather starts a crowd.
func gather(t *testing.T, server func() *service) *crowd {
	ctx, stop := context.WithCancel(t.Context())
	c := &crowd{t: t, server: server, stop: stop}
	for n := range crowdSize {
		c.running.Go(func() { c.live(ctx, fmt.Sprint("user-", n)) })
	}
	return c
}

// live is one user's life: no answer may be of a time before the last acknowledged act.
func (c *crowd) live(ctx context.Context, user string) {
	var sent, acked int64
	for ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
		patient := c.patient.Load() // then an answer may come late, after patience has ended
		conn := c.server().conn
		_, err := attunev1.NewEventServiceClient(conn).Write(c.t.Context(), &attunev1.WriteRequest{Events: []*attunev1.Event{{
			EventId: fmt.Sprint(sent), Type: "purchase", UserId: user, Lines: []*attunev1.Line{{ItemId: fmt.Sprint("item-", sent%50)}},
		}}})
		sent++
		c.sent.Add(1)
		if c.fine(err, patient, &c.refused.writes) {
			acked++
			c.acts.Add(1)
		}
		known, err := attunev1.NewUserServiceClient(conn).GetUser(c.t.Context(), &attunev1.GetUserRequest{UserId: user})
		if status.Code(err) == codes.NotFound && acked == 0 {
			continue
		}
		if c.fine(err, patient, &c.refused.reads) {
			if got := known.GetEventCounts()["purchase"]; got < acked || got > sent {
				c.t.Errorf("%s: %d events known, of %d that were sent and %d acknowledged", user, got, sent, acked)
			}
		}
		list, err := attunev1.NewRecommendationServiceClient(conn).Recommend(c.t.Context(), &attunev1.RecommendRequest{UserId: user, ExcludeBought: true})
		if !c.fine(err, patient, &c.refused.lists) {
			continue
		}
		if !list.GetDegraded() {
			c.whole.Add(1)
			continue
		}
		c.degraded.Add(1)
		if !patient && !c.patient.Load() {
			c.t.Error("a list without what is known of the user")
		}
	}
}

// fine tells whether a call was answered, and counts it else. An error is to be UNAVAILABLE,
// with the time after which to try again.
func (c *crowd) fine(err error, patient bool, refused *atomic.Int64) bool {
	if err == nil {
		return true
	}
	refused.Add(1)
	told := false
	for _, detail := range status.Convert(err).Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			told = retry.GetRetryDelay().AsDuration() > 0
		}
	}
	if !patient && !c.patient.Load() || status.Code(err) != codes.Unavailable || !told {
		c.t.Errorf("refused: %v", err)
	}
	return false
}

// act waits until everybody acted some times.
func (c *crowd) act() {
	c.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for until := c.acts.Load() + 5*crowdSize; c.acts.Load() < until && !c.t.Failed(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatal("nothing is acknowledged any more")
		}
	}
}

// calm waits until lists are made with what is known again, and bears no error from then on.
func (c *crowd) calm() {
	c.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for n := int64(0); n < 5*crowdSize; {
		whole, degraded, refused := c.whole.Load(), c.degraded.Load(), c.refusals()
		time.Sleep(100 * time.Millisecond)
		if n += c.whole.Load() - whole; c.degraded.Load() > degraded || c.refusals() > refused {
			n = 0
		}
		if time.Now().After(deadline) {
			c.t.Fatal("lists are still made without what is known, or calls refused")
		}
	}
	c.patient.Store(false)
}

func (c *crowd) refusals() int64 {
	return c.refused.writes.Load() + c.refused.reads.Load() + c.refused.lists.Load()
}

// end ends the crowd. Nobody was refused a list, whatever became of Redis.
func (c *crowd) end() {
	c.t.Helper()
	c.stop()
	c.running.Wait()
	if n := c.refused.lists.Load(); n > 0 {
		c.t.Errorf("%d lists were refused, rather than made without what is known", n)
	}
	c.t.Logf("%d of %d acts acknowledged; refused: %d writes, %d reads, %d lists; %d lists whole, %d degraded", c.acts.Load(), c.sent.Load(),
		c.refused.writes.Load(), c.refused.reads.Load(), c.refused.lists.Load(), c.whole.Load(), c.degraded.Load())
}

// verifies expects the history to hold what was acknowledged. What was refused may be in it,
// too: an event that is in the log, but was not in the features in time, is not acknowledged.
func (c *crowd) verifies(where place) {
	c.t.Helper()
	where.verifiesBetween(c.t, crowdSize, int(c.acts.Load()), int(c.sent.Load()))
}

// redisOfOnesOwn starts a Redis, and two servers on it.
func redisOfOnesOwn(t *testing.T) (*testservers.RedisServer, *replicas) {
	t.Helper()
	redis := testservers.StartRedis(t, t.TempDir(), "--save", "")
	return redis, serveReplicas(t, keyspace(t, redis.Addr), 2)
}

// TestRedisIsFlushedUnderLoad: nobody notices, for what is known is made again.
func TestRedisIsFlushedUnderLoad(t *testing.T) {
	redis, r := redisOfOnesOwn(t)
	c := gather(t, r.any)
	for range 5 {
		c.act()
		redis.Do("FLUSHALL")
	}
	c.act()
	c.end()
	stored, err := strconv.Atoi(strings.TrimPrefix(redis.Do("DBSIZE"), ":"))
	if err != nil || stored < crowdSize {
		t.Errorf("%d keys after the last flush, %v", stored, err)
	}
	r.end()
	c.verifies(r.where) // to the event, for nothing was refused
}

// TestKeysVanishUnderLoad deletes keys of every kind one by one, those of whole shards among
// them: nobody notices either.
func TestKeysVanishUnderLoad(t *testing.T) {
	redis, r := redisOfOnesOwn(t)
	c := gather(t, r.any)
	for range 5 {
		c.act()
		for range 100 {
			redis.Do(`EVAL "local key = redis.call('RANDOMKEY') return key and redis.call('DEL', key)" 0`)
		}
	}
	c.act()
	c.end()
	r.end()
	r.where.verifies(t, crowdSize, int(c.acts.Load()))
}

// TestRedisComesBackWithAnOlderDump restarts Redis from an older dump: what is in it is taken for
// lost, and no answer is of that time.
func TestRedisComesBackWithAnOlderDump(t *testing.T) {
	redis, r := redisOfOnesOwn(t)
	c := gather(t, r.any)
	c.act()
	redis.Do("SAVE")
	c.patient.Store(true)
	for range 3 {
		c.act()
		redis.Kill()
		redis.Start()
	}
	c.act()
	c.calm()
	c.act()
	c.end()
	r.end()
	c.verifies(r.where)
}

// TestRedisIsAway stops Redis for 10 seconds: writes are refused, lists are made without what is
// known, and soon after Redis is back neither is any more.
func TestRedisIsAway(t *testing.T) {
	redis, r := redisOfOnesOwn(t)
	c := gather(t, r.any)
	c.act()
	c.patient.Store(true)
	redis.Kill()
	time.Sleep(10 * time.Second)
	if c.degraded.Load() == 0 {
		t.Error("no list was made without Redis")
	}
	if c.refused.writes.Load() == 0 {
		t.Error("no write was refused without Redis")
	}
	redis.Start()
	c.act()
	c.calm()
	c.act()
	c.end()
	r.end()
	c.verifies(r.where)
}
