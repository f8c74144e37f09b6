package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// BenchmarkStream streams batches of 500 events of 100,000 users, with 8 unanswered; client
// and server share the process. An operation is one event.
func BenchmarkStream(b *testing.B) {
	s := open(b, folder(b.TempDir()))
	stream, err := s.events.Stream(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	const size, ahead = 500, 8
	random := rand.New(rand.NewPCG(1, 2))
	unanswered := make(chan struct{}, ahead)
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for sent := 0; sent < b.N; sent += size {
			unanswered <- struct{}{}
			events := make([]*attunev1.Event, size)
			for i := range events {
				events[i] = view(fmt.Sprint(sent+i), fmt.Sprint("user-", random.IntN(100_000)), fmt.Sprint("item-", random.IntN(50_000)))
				events[i].OccurredAt = timestamppb.New(noon)
			}
			if err := stream.Send(&attunev1.StreamRequest{Events: events}); err != nil {
				b.Error(err)
				break
			}
		}
		_ = stream.CloseSend()
	}()
	for {
		if _, err := stream.Recv(); err != nil {
			break
		}
		<-unanswered
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
