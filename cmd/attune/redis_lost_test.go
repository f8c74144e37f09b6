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
	"github.com/attune-shop/attune/store/storetest"
)

// crowd is users who act, each on its own, and after each act ask for what is known of them.
type crowd struct {
	t      *testing.T
	server func() *service
	// acts counts what was acknowledged, refused what was answered with an error, and
	// degraded the lists that were made without what is known of the user.
	acts, refused, degraded atomic.Int64
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
		conn := c.server().conn
		_, err := attunev1.NewEventServiceClient(conn).Write(c.t.Context(), &attunev1.WriteRequest{Events: []*attunev1.Event{{
			EventId: fmt.Sprint(sent), Type: "purchase", UserId: user, Lines: []*attunev1.Line{{ItemId: fmt.Sprint("item-", sent%50)}},
		}}})
		sent++
		if c.fine(err) {
			acked++
			c.acts.Add(1)
		}
		known, err := attunev1.NewUserServiceClient(conn).GetUser(c.t.Context(), &attunev1.GetUserRequest{UserId: user})
		if status.Code(err) == codes.NotFound && acked == 0 {
			continue
		}
		if c.fine(err) {
			if got := known.GetEventCounts()["purchase"]; got < acked || got > sent {
				c.t.Errorf("%s: %d events known, of %d that were sent and %d acknowledged", user, got, sent, acked)
			}
		}
		list, err := attunev1.NewRecommendationServiceClient(conn).Recommend(c.t.Context(), &attunev1.RecommendRequest{UserId: user, ExcludeBought: true})
		if c.fine(err) && list.GetDegraded() {
			c.degraded.Add(1)
			if !c.patient.Load() {
				c.t.Error("a list without what is known of the user")
			}
		}
	}
}

// fine tells whether a call was answered. An error is to be UNAVAILABLE, with the time after
// which to try again.
func (c *crowd) fine(err error) bool {
	if err == nil {
		return true
	}
	c.refused.Add(1)
	told := false
	for _, detail := range status.Convert(err).Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			told = retry.GetRetryDelay().AsDuration() > 0
		}
	}
	if !c.patient.Load() || status.Code(err) != codes.Unavailable || !told {
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

func (c *crowd) end() {
	c.stop()
	c.running.Wait()
	c.t.Logf("%d acts acknowledged, %d calls refused, %d lists degraded", c.acts.Load(), c.refused.Load(), c.degraded.Load())
}

// redisOfOnesOwn starts a Redis, and two servers on it.
func redisOfOnesOwn(t *testing.T) (*storetest.RedisServer, *replicas) {
	t.Helper()
	redis := storetest.StartRedis(t, t.TempDir(), "--save", "")
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
	c.end()
	r.end()
}

// TestRedisIsAway stops Redis for 10 seconds: writes are refused, lists are made without, and
// both go on by themselves.
func TestRedisIsAway(t *testing.T) {
	redis, r := redisOfOnesOwn(t)
	c := gather(t, r.any)
	c.act()
	c.patient.Store(true)
	redis.Kill()
	before := c.degraded.Load()
	time.Sleep(10 * time.Second)
	if c.degraded.Load() == before {
		t.Error("no list was made without Redis")
	}
	redis.Start()
	c.act()
	c.end()
	refused := c.refused.Load()
	if refused == 0 {
		t.Error("no write was refused without Redis")
	}
	r.end()
}
