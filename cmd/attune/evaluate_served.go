package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc/grpclog"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/attune-shop/attune/cmd/attune/internal/datasets"
	"github.com/attune-shop/attune/cmd/attune/internal/importer"
	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/parallel"
	"github.com/attune-shop/attune/server"
)

const (
	// afterData is how far the server's clock is ahead of the data's last event: further than the
	// window of what trends, which no protocol knows of.
	afterData = 31 * 24 * time.Hour
	// servedCalls is the number of calls under way at once.
	servedCalls = 8
	// servedSession is the number of events that a request may carry.
	servedSession = 1000
)

// objectiveOf is what a shop asks a training for that is to foretell what a cut holds out.
var objectiveOf = map[eval.Cut]attunev1.Objective{
	eval.CutTime: attunev1.Objective_NEW_ITEMS, eval.CutNext: attunev1.Objective_NEXT_ITEM,
	eval.CutLast: attunev1.Objective_LAST_ITEM, eval.CutRandom: attunev1.Objective_OTHER_ITEMS,
}

// servedTypes are the events that weigh what an interaction does.
var servedTypes = map[float32]event.Type{
	1: event.ViewItem, 2: event.AddToWishlist, 3: event.AddToCart, 5: event.Purchase,
}

// serve takes the path of a shop: it starts a server on an empty folder, streams the training part
// in as events, has the server train, and asks for the list of each case.
func (c *evaluateCmd) serve(ctx context.Context, set *datasets.Set, algorithm string, tell cf.Progress) (row evaluatedRow, note string, err error) {
	end, err := checkServed(set)
	if err != nil {
		return row, "", err
	}
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	dir, err := os.MkdirTemp("", "attune-evaluate-*")
	if err != nil {
		return row, "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	running, err := server.Start(ctx, server.Config{
		StoreConfig: server.StoreConfig{Data: dir, CacheMiB: 128}, GRPCAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0",
		Now: end.Add(afterData), DrainTimeout: 10 * time.Second,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return row, "", err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, running.Close(closing))
	}()
	s, err := connect(running.GRPCAddr())
	if err != nil {
		return row, "", err
	}
	defer s.conn.Close()
	row, note, err = c.throughServer(ctx, s, set, algorithm, tell)
	return row, note, s.failure(err)
}

// checkServed tells whether a set can be streamed in and asked for, and when its last event is.
func checkServed(set *datasets.Set) (end time.Time, err error) {
	last := int64(0)
	for x := range set.Train.Log() {
		if servedTypes[x.Weight] == "" {
			return end, fmt.Errorf("--served: the weight %g of user %q and item %q is that of no event: 1 is a view, 2 a wish, 3 a cart and 5 a purchase", x.Weight, x.UserID, x.ItemID)
		}
		last = max(last, x.At)
	}
	for i := range set.Cases {
		if set.Cases[i].Candidates != nil {
			return end, errors.New("--served: lists are of the whole catalog; leave --negatives out")
		}
	}
	return time.Unix(last, 0), nil
}

func (c *evaluateCmd) throughServer(ctx context.Context, s *shopServer, set *datasets.Set, algorithm string, tell cf.Progress) (row evaluatedRow, note string, err error) {
	started := time.Now()
	if err := c.stream(ctx, s, set, func(share float64) { tell(.1*share, "events") }); err != nil {
		return row, "", err
	}
	streamed := time.Now()
	request := &attunev1.TrainRequest{
		Algorithm: algorithm, Seed: c.Seed, Objective: objectiveOf[set.Protocol.Cut],
		Limit: int32(set.Protocol.K), IncludeSeen: set.Protocol.Seen,
	}
	model, err := trainTelling(ctx, s, request, func(r *attunev1.TrainResponse) {
		if r.GetPhase() == attunev1.TrainPhase_EVALUATE {
			tell(.1+.6*r.GetProgress(), plain(r.GetMessage()))
		}
	})
	if err != nil {
		return row, "", err
	}
	if model.GetInteractions() != int64(set.Train.Interactions()) || model.GetUsers() != int64(set.Train.Users()) {
		return row, "", fmt.Errorf("the server trained on %d interactions of %d users; the data have %d of %d",
			model.GetInteractions(), model.GetUsers(), set.Train.Interactions(), set.Train.Users())
	}
	trained := time.Now()
	lists, err := askForLists(ctx, s, set, func(share float64) { tell(.7+.3*share, "lists") })
	if err != nil {
		return row, "", err
	}
	listed := time.Now()
	row.Source = "attune"
	if row.measured, err = eval.MeasureLists(lists, set.Cases, set.Protocol, set.Train.Items()); err != nil {
		return row, "", err
	}
	row.Metrics = row.measured.Metrics
	return row, fmt.Sprintf("%s events streamed in %.1f s, %s trained in %.1f s, %s lists asked for in %.1f s.",
		thousands(int64(set.Train.Interactions())), streamed.Sub(started).Seconds(), model.GetAlgorithm(), trained.Sub(streamed).Seconds(),
		thousands(int64(len(lists))), listed.Sub(trained).Seconds()), nil
}

// stream delivers the training part, of which nothing may be left out.
func (c *evaluateCmd) stream(ctx context.Context, s *shopServer, set *datasets.Set, done func(share float64)) error {
	all := float64(set.Train.Interactions())
	source := newTrainEvents(set.Train)
	defer source.stop()
	report, err := importer.Deliver(ctx, s.events, source, importer.Options{
		BatchSize: 500, Window: 8, Patience: time.Minute,
		Acked: func(r *importer.Report) error {
			done(float64(r.Acked()) / all)
			return nil
		},
	})
	if err != nil {
		return err
	}
	if report.Accepted.Events != int64(set.Train.Interactions()) {
		why := ""
		for _, r := range report.Rejections {
			why = ", as in " + r.Reason + " of " + r.Example
		}
		return fmt.Errorf("the server took %d of %d events%s", report.Accepted.Events, set.Train.Interactions(), why)
	}
	return nil
}

// askForLists asks for the list of each case, its items as the numbers that they have in training.
func askForLists(ctx context.Context, s *shopServer, set *datasets.Set, done func(share float64)) ([][]int32, error) {
	lists := make([][]int32, len(set.Cases))
	err := parallel.Each(ctx, len(lists), servedCalls, 1, done, func(_, from, to int) error {
		for i := from; i < to; i++ {
			response, err := s.lists.Recommend(ctx, requestFor(set, i))
			if err != nil {
				return err
			}
			lists[i] = make([]int32, len(response.GetItems()))
			for place, item := range response.GetItems() {
				number, known := set.Train.Index(item.GetItemId())
				if !known {
					number = -1
				}
				lists[i][place] = number
			}
		}
		return nil
	})
	return lists, err
}

// requestFor is the request of a case's visitor.
func requestFor(set *datasets.Set, i int) *attunev1.RecommendRequest {
	visitor, hide := set.Visitors[i], !set.Protocol.Seen
	request := &attunev1.RecommendRequest{
		UserId: visitor.UserID, Limit: proto.Int32(int32(set.Protocol.K)),
		ExcludeSeen: hide, ExcludeBought: hide, ExcludeInCart: hide,
	}
	for _, item := range visitor.Session[max(0, len(visitor.Session)-servedSession):] {
		request.Session = append(request.Session, &attunev1.SessionEvent{ItemId: item})
	}
	return request
}

// trainEvents are a dataset's interactions as events, as a source. Each counts as a line.
type trainEvents struct {
	next func() (feedback.Interaction, bool)
	stop func()
	// last is the interaction before, and among how many of its user came before it in its second.
	last  feedback.Interaction
	among int
	lines int64
}

func newTrainEvents(d *feedback.Dataset) *trainEvents {
	s := &trainEvents{}
	s.next, s.stop = iter.Pull(d.Log())
	return s
}

// Next implements importer.Source. Times of a dataset are whole seconds: those of one user that are
// the same become a microsecond apart each, so that what was known to come in some order keeps it.
func (s *trainEvents) Next() (importer.Record, error) {
	x, ok := s.next()
	if !ok {
		return importer.Record{}, io.EOF
	}
	s.among++
	if x.UserID != s.last.UserID || x.At != s.last.At {
		s.among = 0
	}
	s.last = x
	s.lines++
	kind := servedTypes[x.Weight]
	e := &attunev1.Event{
		EventId: strconv.FormatInt(s.lines, 10), Type: string(kind), UserId: x.UserID,
		OccurredAt: timestamppb.New(time.Unix(x.At, int64(s.among)*int64(time.Microsecond))),
	}
	if kind == event.Purchase {
		e.Lines = []*attunev1.Line{{ItemId: x.ItemID}}
	} else {
		e.ItemId = x.ItemID
	}
	return importer.Record{Event: e, Lines: 1}, nil
}

// Lines implements importer.Source.
func (s *trainEvents) Lines() int64 { return s.lines }

// Skipped implements importer.Source.
func (s *trainEvents) Skipped() []importer.Reason { return nil }

// Items implements importer.Source.
func (s *trainEvents) Items() []*attunev1.Item { return nil }
