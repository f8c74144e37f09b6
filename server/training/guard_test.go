package training

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/store"
)

// reached is a version that reached a mean with a standard error.
func reached(metric string, mean, deviation float64) store.Model {
	return store.Model{Version: metric, Algorithm: cf.EASE, Metric: metric, Protocol: "new items", Evaluations: []store.Evaluation{
		{Algorithm: cf.ALS, Metrics: map[string]float64{metric: 9}, Errors: map[string]float64{metric: 9}},
		{Algorithm: cf.EASE, Metrics: map[string]float64{metric: mean}, Errors: map[string]float64{metric: deviation}, Users: 400},
	}}
}

func TestWhatIsWorse(t *testing.T) {
	older := reached("ndcg@10", .9, 0)
	older.Evaluations[1].Errors = nil
	other := reached("ndcg@10", .9, 0)
	other.Protocol = "the last item"
	none := reached("ndcg@10", .9, 0)
	none.Evaluations, none.Metric = nil, ""
	for name, test := range map[string]struct {
		old, new store.Model
		worse    bool
		says     string
	}{
		"better":                {reached("ndcg@10", .2, .01), reached("ndcg@10", .3, .01), false, "0.3000 for new items (standard error 0.0100, 400 lists)"},
		"equal":                 {reached("ndcg@10", .2, 0), reached("ndcg@10", .2, 0), false, "up to 0.0000 is noise"},
		"worse within noise":    {reached("ndcg@10", .3, .03), reached("ndcg@10", .21, .04), false, "up to 0.0980 is noise"},
		"worse beyond noise":    {reached("ndcg@10", .3, .03), reached("ndcg@10", .20, .04), true, "0.3000 for new items (standard error 0.0300"},
		"worse of two certain":  {reached("ndcg@10", .3, 0), reached("ndcg@10", .29, 0), true, "0.2900"},
		"lists of other length": {reached("ndcg@20", .9, 0), reached("ndcg@10", .2, 0), false, "no such figure"},
		"lists for others":      {other, reached("ndcg@10", .2, 0), false, "no such figure"},
		"another metric":        {reached("mrr@10", .9, 0), reached("ndcg@10", .2, 0), false, "no such figure"},
		"old without errors":    {older, reached("ndcg@10", .2, 0), false, "no such figure"},
		"old without anything":  {none, reached("ndcg@10", .2, 0), false, "no such figure"},
		"new without anything":  {reached("ndcg@10", .9, 0), none, false, "Too little was held out"},
	} {
		v := compare(test.new, test.old)
		if v.worse != test.worse || v.activate == test.worse || !strings.Contains(v.why, test.says) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// TestAWorseVersionIsNotPutInService on any server, unless that is asked for or it cannot be told.
func TestAWorseVersionIsNotPutInService(t *testing.T) {
	good, bad := &attunev1.TrainRequest{Algorithm: cf.ItemKNN}, &attunev1.TrainRequest{Algorithm: cf.Popularity}
	figures := func(change func(*store.Evaluation)) func(*fixture) {
		return func(f *fixture) {
			for i := range f.shelf.models[0].Evaluations {
				change(&f.shelf.models[0].Evaluations[i])
			}
		}
	}
	for name, test := range map[string]struct {
		first, then *attunev1.TrainRequest
		between     func(*fixture)
		stays       bool
		says        string
	}{
		"first":           {nil, bad, nil, false, "In service; no model was before."},
		"first, kept":     {nil, &attunev1.TrainRequest{KeepActive: true}, nil, true, "Not in service, as asked; no model is."},
		"better":          {bad, good, nil, false, "In service. It has ndcg@10 1.0000"},
		"equal":           {good, good, nil, false, "In service. It has ndcg@10 1.0000"},
		"worse":           {good, bad, nil, true, "NOT IN SERVICE"},
		"within noise":    {good, bad, figures(func(e *store.Evaluation) { e.Errors["ndcg@10"] = .6 }), false, "is noise"},
		"without figures": {good, bad, figures(func(e *store.Evaluation) { e.Errors = nil }), false, "no such figure"},
		"forced":          {good, &attunev1.TrainRequest{Algorithm: cf.Popularity, ActivateWorse: true}, nil, false, "In service, as asked, though it is worse"},
		"kept":            {bad, &attunev1.TrainRequest{Algorithm: cf.ItemKNN, KeepActive: true}, nil, true, "Not in service, as asked"},
		"the server lags": {good, bad, func(f *fixture) { f.holder.active.Store(nil); f.wanted = "" }, true, "NOT IN SERVICE"},
		"it was deleted":  {good, bad, func(f *fixture) { f.shelf.models = nil }, false, "no such figure"},
	} {
		synctest.Test(t, func(t *testing.T) {
			one, two := newFixture(twoTastes(), Config{}), newFixture(twoTastes(), Config{})
			two.shelf, two.store = one.shelf, one.shelf
			want := ""
			if test.first != nil {
				want = one.train(t, test.first).GetVersion()
			}
			if test.between != nil {
				test.between(one)
			}
			s := &stream{ctx: t.Context()}
			if err := one.Train(test.then, s); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			done := s.responses[len(s.responses)-1]
			version := done.GetModel().GetVersion()
			if !test.stays {
				want = version
			}
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			two.Follow(ctx)
			_, here := one.holder.Active()
			_, there := two.holder.Active()
			if here != want || there != want || one.shelf.active != want || done.GetModel().GetActive() == test.stays {
				t.Errorf("%s: %q serves, and %q elsewhere, %q is active, want %q", name, here, there, one.shelf.active, want)
			}
			if one.shelf.payloads[version] == nil {
				t.Errorf("%s: it was not saved", name)
			}
			if !strings.Contains(done.GetMessage(), test.says) || !strings.Contains(one.log.String(), test.says) {
				t.Errorf("%s: said %q, logged %s", name, done.GetMessage(), one.log)
			}
			if how := "attune models activate " + version; test.stays != strings.Contains(done.GetMessage(), how) {
				t.Errorf("%s: said %q", name, done.GetMessage())
			}
		})
	}
}

func TestTheChoiceIsKeptWithItsSettings(t *testing.T) {
	f := newFixture(twoTastes(), Config{})
	version := f.train(t, &attunev1.TrainRequest{Algorithm: cf.EASE}).GetVersion()
	model, err := f.GetModel(t.Context(), &attunev1.GetModelRequest{Version: version})
	if err != nil {
		t.Fatal(err)
	}
	e := model.GetEvaluations()[0]
	if model.GetMetric() != "ndcg@10" || e.GetSettings()["lambda"] <= 0 || len(e.GetStandardErrors()) != len(e.GetMetrics())-1 {
		t.Errorf("%v", model)
	}
}
