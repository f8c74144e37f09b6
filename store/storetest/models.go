package storetest

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// failing ends in an error after some bytes.
type failing struct{ left int }

func (f *failing) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, errors.New("the writer failed")
	}
	f.left--
	return len(p), nil
}

var modelCases = []testCase{
	{"models/payloads come back, the newest first, one active", func(s *suite) {
		_, err := s.ActiveModel(s.ctx)
		s.wants(err, event.ErrNotFound)
		payload := bytes.Repeat([]byte("weights"), 50_000)
		for _, version := range []string{"1", "2", "3"} {
			s.must(s.SaveModel(s.ctx, store.Model{Version: version, Algorithm: "ease", Evaluations: []store.Evaluation{{Algorithm: "ease", Metrics: map[string]float64{"ndcg@10": .25}}}}, bytes.NewReader(append(payload, version...))))
		}
		s.must(s.SetActiveModel(s.ctx, "2"))
		s.wants(s.SetActiveModel(s.ctx, "9"), event.ErrNotFound)
		s.crash()
		active, err := s.ActiveModel(s.ctx)
		s.must(err)
		s.equal("2", active)
		s.wants(s.DeleteModel(s.ctx, "2"), event.ErrBusy)
		s.must(s.DeleteModel(s.ctx, "3"))
		s.wants(s.DeleteModel(s.ctx, "3"), event.ErrNotFound)
		models, err := s.Models(s.ctx)
		s.must(err)
		s.equal([]string{"2", "1"}, []string{models[0].Version, models[1].Version})
		s.equal(.25, models[0].Evaluations[0].Metrics["ndcg@10"])
		reader, err := s.OpenModel(s.ctx, "1")
		s.must(err)
		got, err := io.ReadAll(reader)
		s.must(err)
		s.must(reader.Close())
		s.equal(true, bytes.Equal(append(payload, '1'), got))
		_, err = s.OpenModel(s.ctx, "3")
		s.wants(err, event.ErrNotFound)
	}},
	{"models/a payload that fails leaves nothing", func(s *suite) {
		if err := s.SaveModel(s.ctx, store.Model{Version: "1"}, &failing{left: 3}); err == nil {
			s.Error("a payload that failed was stored")
		}
		models, err := s.Models(s.ctx)
		s.must(err)
		s.equal(0, len(models))
		_, err = s.OpenModel(s.ctx, "1")
		s.wants(err, event.ErrNotFound)
	}},
	{"models/a version saved again is the new one, or the old one where that fails", func(s *suite) {
		s.must(s.SaveModel(s.ctx, store.Model{Version: "1", Items: 1}, bytes.NewReader([]byte("old"))))
		if err := s.SaveModel(s.ctx, store.Model{Version: "1", Items: 2}, &failing{left: 1}); err == nil {
			s.Error("a payload that failed was stored")
		}
		payload := func(items int) string {
			models, err := s.Models(s.ctx)
			s.must(err)
			s.equal(1, len(models))
			s.equal(items, models[0].Items)
			reader, err := s.OpenModel(s.ctx, "1")
			s.must(err)
			content, err := io.ReadAll(reader)
			s.must(errors.Join(err, reader.Close()))
			return string(content)
		}
		s.equal("old", payload(1))
		s.must(s.SetActiveModel(s.ctx, "1"))
		s.must(s.SaveModel(s.ctx, store.Model{Version: "1", Items: 3}, bytes.NewReader([]byte("new"))))
		s.crash()
		s.equal("new", payload(3))
		active, err := s.ActiveModel(s.ctx)
		s.must(err)
		s.equal("1", active)
	}},
	{"models/any version can be named, and all of a model comes back", func(s *suite) {
		want := []store.Model{
			{Version: "b/../a"}, {Version: "a/b", Algorithm: "als", CreatedAt: time.Date(2026, 3, 1, 12, 30, 0, 1000, time.UTC), Users: 3, Items: 4, Interactions: 5,
				SizeBytes: 6, Metric: "recall", Choice: "why", Evaluations: []store.Evaluation{{Algorithm: "als", Users: 7, Fit: time.Second,
					Settings: map[string]float64{"lambda": .1}, Metrics: map[string]float64{"recall": 1. / 3}, Errors: map[string]float64{"recall": 2. / 7}}}}, {Version: ".."},
		}
		for _, m := range want {
			s.must(s.SaveModel(s.ctx, m, bytes.NewReader([]byte(m.Version))))
		}
		got, err := s.Models(s.ctx)
		s.must(err)
		s.equal(want, got)
		for _, m := range want {
			reader, err := s.OpenModel(s.ctx, m.Version)
			s.must(err)
			content, err := io.ReadAll(reader)
			s.must(errors.Join(err, reader.Close()))
			s.equal(m.Version, string(content))
		}
	}},
}
