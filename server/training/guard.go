package training

import (
	"context"
	"errors"
	"fmt"
	"math"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// beyondNoise is how many standard errors of the difference a version must be below another
// to be called worse: as much happens by chance to one in forty that are as good.
const beyondNoise = 1.96

// verdict is whether a new version comes into service by itself.
type verdict struct {
	activate bool
	// worse says that it is worse than the one in service beyond noise.
	worse bool
	// why is a sentence or two for whoever trained.
	why string
}

// judge compares a new version with the one in service, by what each reached on what its own
// training held out:
//
//	new - old < -beyondNoise sqrt(error_new^2 + error_old^2)
//
// is worse. What is worse so is kept, and not put in service unless the request says so.
//
// The version in service is not measured again on what was held out now: it was fitted
// with a part of that, which would flatter it. Other days are easier or harder to foretell, so
// a figure that falls may also be the season, or events that are missing or made up. Neither
// is for a training to decide, which is why somebody is asked.
func (s *Service) judge(ctx context.Context, model store.Model, request *attunev1.TrainRequest) (verdict, error) {
	if err := s.Load(ctx); err != nil { // another server may have activated a version just now
		return verdict{}, err
	}
	_, serving := s.holder.Active()
	if serving == "" {
		if request.GetKeepActive() {
			return verdict{why: "Not in service, as asked; no model is." + byHand(model.Version)}, nil
		}
		return verdict{activate: true, why: "In service; no model was before."}, nil
	}
	old, err := s.find(ctx, serving)
	if errors.Is(err, event.ErrNotFound) { // it was deleted, and serves here still
		old, err = store.Model{Version: serving}, nil
	}
	if err != nil {
		return verdict{}, err
	}
	v := compare(model, old)
	switch {
	case request.GetKeepActive():
		v.activate = false
		v.why = fmt.Sprintf("Not in service, as asked; %s is. %s%s", serving, v.why, byHand(model.Version))
	case v.worse && request.GetActivateWorse():
		v.activate = true
		v.why = "In service, as asked, though it is worse beyond noise. " + v.why
	case v.worse:
		v.why = fmt.Sprintf("NOT IN SERVICE, for it is worse than %s, which stays there, beyond noise. %s%s", serving, v.why, byHand(model.Version))
	default:
		v.why = "In service. " + v.why
	}
	return v, nil
}

// byHand says how to put a version in service.
func byHand(version string) string {
	return fmt.Sprintf(" To put it in service: attune models activate %s, or ActivateModel.", version)
}

// compare tells whether a version is to replace another, with both figures.
func compare(model, old store.Model) verdict {
	now, ok := figureOf(model)
	if !ok {
		return verdict{activate: true, why: fmt.Sprintf("Too little was held out to compare it with %s.", old.Version)}
	}
	before, ok := figureOf(old)
	if !ok || before.metric != now.metric || before.protocol != now.protocol {
		return verdict{activate: true, why: fmt.Sprintf("It has %s; %s, which was in service, has no such figure to compare.", now, old.Version)}
	}
	noise := beyondNoise * math.Hypot(now.standardError, before.standardError)
	worse := now.mean-before.mean < -noise
	return verdict{activate: !worse, worse: worse, why: fmt.Sprintf(
		"It has %s; %s had %s; a difference of up to %.4f is noise.", now, old.Version, before, noise)}
}

// figure is what a version is compared by.
type figure struct {
	metric, protocol string
	// mean is over so many lists.
	mean, standardError float64
	lists               int
}

// figureOf returns the figure of a version; false where it has none, as nothing was held out
// or it is of before figures were kept.
func figureOf(m store.Model) (figure, bool) {
	for _, e := range m.Evaluations {
		mean, measured := e.Metrics[m.Metric]
		standardError, known := e.Errors[m.Metric]
		if e.Algorithm == m.Algorithm && measured && known {
			return figure{metric: m.Metric, protocol: m.Protocol, mean: mean, standardError: standardError, lists: e.Users}, true
		}
	}
	return figure{}, false
}

func (f figure) String() string {
	return fmt.Sprintf("%s %.4f for %s (standard error %.4f, %d lists)", f.metric, f.mean, f.protocol, f.standardError, f.lists)
}
