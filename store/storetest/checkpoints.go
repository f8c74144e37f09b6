package storetest

import (
	"github.com/attune-shop/attune/model/event"
)

var checkpointCases = []testCase{
	{"checkpoints/the last one saved is found", func(s *suite) {
		_, err := s.Checkpoint(s.ctx, "trend")
		s.wants(err, event.ErrNotFound)
		s.must(s.SaveCheckpoint(s.ctx, "trend", []byte("a")))
		s.must(s.SaveCheckpoint(s.ctx, "trend", []byte("b")))
		s.reopen()
		data, err := s.Checkpoint(s.ctx, "trend")
		s.must(err)
		s.equal("b", string(data))
	}},
}
