package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server"
)

// TestStreamAnswersWhileItIsSent: over REST, too, a client may wait for the answer to one
// batch before it sends the next.
func TestStreamAnswersWhileItIsSent(t *testing.T) { everywhere(t, testStreamAnswersWhileItIsSent) }

func testStreamAnswersWhileItIsSent(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	body, lines := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.server.HTTPAddr()+"/v1/events:stream", body)
	if err != nil {
		t.Fatal(err)
	}
	send := func(n int) {
		if _, err := fmt.Fprintf(lines, `{"batch_id":"%d","events":[{"event_id":"e%d","type":"search","user_id":"anna"}]}`+"\n", n, n); err != nil {
			t.Error(err)
		}
	}
	go send(0)
	response, err := s.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answers := bufio.NewReader(response.Body)
	for n := range 10 {
		line, err := answers.ReadString('\n')
		if err != nil || !strings.Contains(line, fmt.Sprintf(`"batch_id":"%d"`, n)) || !strings.Contains(line, "ACCEPTED") {
			t.Fatalf("answer %d: %s, %v", n, line, err)
		}
		if n < 9 {
			send(n + 1)
		}
	}
	if err := lines.Close(); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 {
		t.Errorf("after the last: %s, %v", rest, err)
	}
}

// TestRetention: what has expired is refused as such, and left out of what is on record.
func TestRetention(t *testing.T) { everywhere(t, testRetention) }

func testRetention(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	old := `{"events":[{"event_id":"old%d","type":"search","user_id":"anna","occurred_at":"%s"}]}`
	write := func(n int, at time.Time) string {
		code, data := s.call(http.MethodPost, "/v1/events:write", fmt.Sprintf(old, n, at.Format(time.RFC3339)))
		if code != http.StatusOK {
			t.Fatalf("%d %s", code, data)
		}
		return string(data)
	}
	write(1, noon.AddDate(0, -6, 0))
	write(2, noon)
	s.close()
	s = openWith(t, server.Config{StoreConfig: where, HistoryConfig: server.HistoryConfig{Retention: 3}})
	if answer := write(3, noon.AddDate(0, -6, 0)); !strings.Contains(answer, `"occurred_at"`) || !strings.Contains(answer, "expired") {
		t.Errorf("an expired event: %s", answer)
	}
	user, err := s.users.GetUser(t.Context(), &attunev1.GetUserRequest{UserId: "anna"})
	if err != nil || user.GetEventCounts()["search"] != 1 {
		t.Errorf("counts %v, %v", user.GetEventCounts(), err)
	}
	events, err := s.users.ListEvents(t.Context(), &attunev1.ListEventsRequest{UserId: "anna"})
	if err != nil || len(events.GetEvents()) != 1 {
		t.Errorf("events %v, %v", events, err)
	}
}
