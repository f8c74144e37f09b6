package event

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCompleteDerivesTheSameID(t *testing.T) {
	first := sale()
	first.ID = ""
	retry := first
	retry.SentAt = now
	retry.OccurredAt = retry.OccurredAt.In(time.FixedZone("", 3600)).Add(300 * time.Nanosecond)
	retry.Type = "Order Completed"
	retry.Attributes = []byte("{ \"a\":\"x\",\n \"b\" : 1 }")
	first.Complete(now)
	retry.Complete(now.Add(time.Hour))
	if first.ID != retry.ID || len(first.ID) != 28 {
		t.Errorf("a retry got another id: %q, %q", first.ID, retry.ID)
	}
	if want := "d-gnmmkicr7mlkvqmpmpnnjy4nbi"; first.ID != want {
		t.Errorf("the way ids are derived must never change: %q, want %q", first.ID, want)
	}
	other := sale()
	other.ID = ""
	other.Lines = append([]Line(nil), other.Lines...)
	other.Lines[0].Quantity++
	other.Complete(now)
	if other.ID == first.ID {
		t.Error("another sale got the same id")
	}
}

func TestComplete(t *testing.T) {
	e := Event{ID: "1", Type: "Order Refunded", UserID: "u", Lines: sale().Lines}
	e.Complete(now.Add(1))
	want := Event{
		ID: "1", Type: Refund, UserID: "u", Lines: sale().Lines, Value: Money{"EUR", 3998},
		OccurredAt: now, ReceivedAt: now,
	}
	if d := cmp.Diff(want, e); d != "" {
		t.Error(d)
	}
	again := e
	again.Complete(now.Add(time.Hour))
	again.ReceivedAt = e.ReceivedAt
	if d := cmp.Diff(e, again); d != "" {
		t.Errorf("completed twice: %s", d)
	}
}
