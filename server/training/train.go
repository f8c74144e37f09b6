package training

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/store/lease"
)

// tellEvery is the least time between two responses that only tell progress.
const tellEvery = 200 * time.Millisecond

// leaseName is that of the lease that a training holds, among all servers.
const leaseName = "training"

// Train reads the history, evaluates, fits, saves and, unless keep_active is set, puts the
// new version in service where it is not worse than the one there (judge). One training runs
// at a time, of all servers that share the store; another gets event.ErrBusy. A client that goes
// away, or stops its call, stops the training: nothing is saved then, and the model in service
// stays.
func (s *Service) Train(request *attunev1.TrainRequest, stream attunev1.ModelService_TrainServer) error {
	options, err := optionsOf(request)
	if err != nil {
		return err
	}
	options.Now = s.options.Now
	leased, err := lease.Take(stream.Context(), s.store, leaseName, s.options.Logger)
	if err != nil {
		return fmt.Errorf("a training is %w", err)
	}
	defer leased.End()
	ctx, cancel := context.WithCancelCause(leased.Context())
	defer cancel(nil)
	t := &teller{send: stream.Send, cancel: cancel, now: s.options.Now}
	err = s.train(ctx, options, request, leased, t)
	if t.err != nil {
		return fmt.Errorf("the client is gone, training stopped: %w", t.err)
	}
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, lease.ErrLost) {
		return fmt.Errorf("training stopped: %w", cause)
	}
	return err
}

func (s *Service) train(ctx context.Context, options cf.Options, request *attunev1.TrainRequest, leased *lease.Lease, t *teller) error {
	t.tell(attunev1.TrainPhase_READ_HISTORY, 0, "reading the history")
	data, err := s.readHistory(ctx, func(c *collector) error {
		t.maybe(attunev1.TrainPhase_READ_HISTORY, 0, func() string {
			return fmt.Sprintf("%d events of %d visitors", c.events, c.visitors)
		})
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	t.tell(attunev1.TrainPhase_READ_HISTORY, 1, fmt.Sprintf("%d interactions of %d users with %d items, %d baskets",
		data.Interactions(), data.Users(), data.Items(), len(data.Baskets())))

	options.Evaluated = t.evaluated
	plan, err := cf.Evaluate(ctx, data, options, t.progress(attunev1.TrainPhase_EVALUATE))
	if err != nil {
		return fmt.Errorf("evaluate: %w", err)
	}
	t.tell(attunev1.TrainPhase_EVALUATE, 1, plan.Choice)
	snapshot, err := cf.Fit(ctx, data, plan, options, t.progress(attunev1.TrainPhase_FIT))
	if err != nil {
		return fmt.Errorf("fit: %w", err)
	}
	t.tell(attunev1.TrainPhase_FIT, 1, "fitted "+plan.Algorithm)

	t.tell(attunev1.TrainPhase_SAVE, 0, "saving")
	if err := context.Cause(ctx); err != nil {
		return err
	}
	model, err := s.save(ctx, data, plan, options.Protocol, snapshot)
	if err != nil {
		return err
	}
	v, err := s.judge(ctx, model, request)
	if err != nil {
		return err
	}
	if v.activate {
		// A server that stood still for a while may have lost the lease unawares, and another's
		// newer model may be in service.
		if err := s.activate(ctx, snapshot, model.Version, leased.Renew); err != nil {
			return err
		}
	}
	s.prune(ctx)
	t.tell(attunev1.TrainPhase_SAVE, 1, "saved "+model.Version)
	t.done(s.message(model), v.why)
	level := slog.LevelInfo
	if v.worse {
		level = slog.LevelWarn
	}
	s.options.Logger.Log(ctx, level, "model trained", "version", model.Version, "users", model.Users,
		"items", model.Items, "interactions", model.Interactions, "choice", model.Choice, "activation", v.why)
	return nil
}

// teller sends responses; the first error stops the training.
type teller struct {
	send   func(*attunev1.TrainResponse) error
	cancel context.CancelCauseFunc
	now    func() time.Time
	last   time.Time
	err    error
}

func (t *teller) out(response *attunev1.TrainResponse) {
	if t.err != nil {
		return
	}
	t.last = t.now()
	if t.err = t.send(response); t.err != nil {
		t.cancel(t.err)
	}
}

func (t *teller) tell(phase attunev1.TrainPhase, progress float64, message string) {
	t.out(&attunev1.TrainResponse{Phase: phase, Progress: progress, Message: message})
}

// maybe tells where the last response is long enough ago.
func (t *teller) maybe(phase attunev1.TrainPhase, progress float64, message func() string) {
	if t.now().Sub(t.last) >= tellEvery {
		t.tell(phase, progress, message())
	}
}

// progress tells model/cf's, which comes from one goroutine at a time.
func (t *teller) progress(phase attunev1.TrainPhase) cf.Progress {
	return func(done float64, message string) {
		t.maybe(phase, min(max(done, 0), 1), func() string { return message })
	}
}

func (t *teller) evaluated(e cf.Evaluation) {
	t.out(&attunev1.TrainResponse{
		Phase:      attunev1.TrainPhase_EVALUATE,
		Message:    "evaluated " + e.Algorithm,
		Evaluation: evaluation(kept(e)),
	})
}

func (t *teller) done(model *attunev1.Model, message string) {
	t.out(&attunev1.TrainResponse{Phase: attunev1.TrainPhase_DONE, Progress: 1, Message: message, Model: model})
}
