package e2e_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/attune-shop/attune/server"
)

// bodies are what each route that takes a body is tried with. A new route belongs here.
var bodies = map[string]string{
	"POST /v1/events:write":                           `{"events":[{"eventId":"r1","type":"view_item","userId":"user-1","item_id":"item-3"}]}`,
	"POST /v1/events:stream":                          `{"events":[{"event_id":"r2","type":"search","user_id":"user-1","search_query":"lamp"}],"batch_id":"1"}` + "\n" + `{"batch_id":"2"}` + "\n",
	"POST /v1/events/rejected:replay":                 `{}`,
	"POST /v1/items:upsert":                           `{"items":[{"item_id":"item-3","title":"Lamp 3","attributes":{"watt":60}}]}`,
	"POST /v1/items:import":                           `{"items":[{"item_id":"item-21"}]}` + "\n" + `{"items":[{"item_id":"item-22"}]}`,
	"POST /v1/items/{item_id}/similar":                `{"limit":3}`,
	"POST /v1/bought-together":                        `{"item_id":"item-1","basket_item_ids":["item-2"]}`,
	"POST /v1/trending":                               `{"window":"86400s"}`,
	"POST /v1/recommendations":                        `{"user_id":"user-1","limit":5,"filter":"item.price.minor_units < 100000","boost":"1.5"}`,
	"POST /v1/recommendations:rerank":                 `{"user_id":"user-1","item_ids":["item-1","item-2"]}`,
	"POST /v1/recently-viewed":                        `{"user_id":"user-1"}`,
	"POST /v1/buy-again":                              `{"user_id":"user-1"}`,
	"POST /v1/segments":                               `{"segment_id":"buyers","display_name":"Buyers","rule":"purchases.all > 0"}`,
	"PATCH /v1/segments/{segment_id}":                 `{"description":"all of them"}`,
	"POST /v1/segments:preview":                       `{"template":{"name":"repeat_buyers"}}`,
	"POST /v1/segments:check":                         `{"user_ids":["user-1"],"anonymous_ids":["cookie"]}`,
	"POST /v1/segments:scale":                         `{"from_buyers_currency_code":"EUR"}`,
	"POST /v1/segments:learn-buyers":                  `{}`,
	"POST /v1/segments/{segment_id}:learn-lookalikes": `{}`,
	"POST /v1/models:train":                           `{"algorithm":"popularity"}`,
	"POST /v1/models/{version}:activate":              `{}`,
	"POST /v1/webhooks":                               `{"webhook_id":"shop","url":"https://shop.invalid/attune","segment_ids":["everybody"]}`,
	"PATCH /v1/webhooks/{webhook_id}":                 `{"paused":true}`,
	"POST /v1/webhooks/{webhook_id}:test":             `{}`,
	"POST /v1/webhooks/{webhook_id}/failed:retry":     `{}`,
}

// TestEveryRoute tries each route of the description that the server gives of itself.
func TestEveryRoute(t *testing.T) { everywhere(t, testEveryRoute) }

func testEveryRoute(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	s.fill()
	s.regulars(60)
	s.learnBuyers()
	s.segment("everybody", "true")
	s.segment("gone", "false")
	s.segment("late", "event_counts['purchase'] == 1")
	s.learnLookalikes("late")
	s.webhooks("everybody", "gone")
	var models struct{ Models []struct{ Version string } }
	s.get("/v1/models", &models)
	var description struct {
		Paths map[string]map[string]struct {
			Summary     string
			OperationID string
		}
	}
	s.get("/openapi.json", &description)
	if len(description.Paths) < 20 {
		t.Fatalf("only %d paths are described", len(description.Paths))
	}
	ids := strings.NewReplacer("{segment_id}:learn", "late:learn", "{segment_id}:lookalikes", "late:lookalikes", "{user_id}", "user-1", "{anonymous_id}", "cookie", "{item_id}", "item-1", "{segment_id}", "everybody", "{webhook_id}", "everybody", "{version}", models.Models[0].Version)
	for _, path := range slices.Sorted(maps.Keys(description.Paths)) {
		for method := range description.Paths[path] {
			method = strings.ToUpper(method)
			body, known := bodies[method+" "+path]
			if !known && method == http.MethodPost {
				t.Errorf("%s %s: no body to try it with", method, path)
			}
			url := ids.Replace(path)
			if method == http.MethodDelete {
				url = strings.NewReplacer("item-1", "gone", "everybody", "gone").Replace(url)
			}
			if strings.HasSuffix(path, ":watch") { // which has no end
				if line := s.firstLine(url); !strings.Contains(line, `"MEMBER"`) {
					t.Errorf("%s %s: %s", method, url, line)
				}
				continue
			}
			code, data := s.call(method, url, body)
			if code != http.StatusOK {
				t.Errorf("%s %s: %d %s", method, url, code, data)
			}
			for line := range bytes.Lines(data) {
				var answer map[string]any
				if err := json.Unmarshal(line, &answer); err != nil || answer["error"] != nil {
					t.Errorf("%s %s: %s: %v", method, url, line, err)
				}
			}
		}
	}
}

// webhooks defines webhooks that nobody answers.
func (s *shop) webhooks(ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		body := `{"webhook_id":"` + id + `","url":"https://shop.invalid/attune"}`
		if code, data := s.call(http.MethodPost, "/v1/webhooks", body); code != http.StatusOK {
			s.t.Fatalf("webhook %s: %d %s", id, code, data)
		}
	}
}

// requests are what each method is tried with, as the JSON of its request. A new method
// belongs here.
var requests = map[string]string{
	"EventService/Stream":                  bodies["POST /v1/events:write"],
	"EventService/Write":                   bodies["POST /v1/events:write"],
	"EventService/ListRejected":            `{"page_size":1}`,
	"EventService/ReplayRejected":          `{}`,
	"CatalogService/UpsertItems":           bodies["POST /v1/items:upsert"],
	"CatalogService/ImportItems":           bodies["POST /v1/items:upsert"],
	"CatalogService/GetItem":               `{"item_id":"item-1"}`,
	"CatalogService/ListItems":             `{}`,
	"CatalogService/DeleteItem":            `{"item_id":"gone"}`,
	"RecommendationService/Recommend":      bodies["POST /v1/recommendations"],
	"RecommendationService/SimilarItems":   `{"item_id":"item-1"}`,
	"RecommendationService/BoughtTogether": `{"item_id":"item-1"}`,
	"RecommendationService/Trending":       `{}`,
	"RecommendationService/Rerank":         bodies["POST /v1/recommendations:rerank"],
	"RecommendationService/RecentlyViewed": `{"user_id":"user-1"}`,
	"RecommendationService/BuyAgain":       `{"anonymous_id":"cookie"}`,
	"UserService/GetUser":                  `{"anonymous_id":"cookie"}`,
	"UserService/ListEvents":               `{"user_id":"user-1","type":"purchase"}`,
	"SegmentService/CreateSegment":         `{"segment_id":"viewers","rule":"event_counts['view_item'] > 0"}`,
	"SegmentService/UpdateSegment":         `{"segment_id":"everybody","display_name":"Everybody"}`,
	"SegmentService/GetSegment":            `{"segment_id":"everybody"}`,
	"SegmentService/ListSegments":          `{}`,
	"SegmentService/DeleteSegment":         `{"segment_id":"gone"}`,
	"SegmentService/PreviewSegment":        `{"rule":"true"}`,
	"SegmentService/ListTemplates":         `{}`,
	"SegmentService/ListMembers":           `{"segment_id":"everybody"}`,
	"SegmentService/ExportMembers":         `{"segment_id":"everybody"}`,
	"SegmentService/CheckMembership":       `{"user_ids":["user-1"]}`,
	"SegmentService/ListUserSegments":      `{"anonymous_id":"cookie"}`,
	"SegmentService/WatchSegment":          `{"segment_id":"everybody"}`,
	"SegmentService/GetScale":              `{}`,
	"SegmentService/SetScale":              `{"scale":{"recency_days":[7,30,90,180],"frequency":[1,2,3,4],"monetary_minor_units":[1,2,3,4]}}`,
	"SegmentService/LearnBuyers":           `{}`,
	"SegmentService/GetBuyersModel":        `{}`,
	"SegmentService/LearnLookalikes":       `{"segment_id":"late"}`,
	"SegmentService/GetLookalikesModel":    `{"segment_id":"late"}`,
	"WebhookService/CreateWebhook":         `{"webhook_id":"another","url":"https://shop.invalid/attune"}`,
	"WebhookService/UpdateWebhook":         `{"webhook_id":"everybody","rotate_secret":true,"segments":{"segment_ids":["everybody"]}}`,
	"WebhookService/GetWebhook":            `{"webhook_id":"everybody"}`,
	"WebhookService/ListWebhooks":          `{}`,
	"WebhookService/DeleteWebhook":         `{"webhook_id":"gone"}`,
	"WebhookService/TestWebhook":           `{"webhook_id":"everybody"}`,
	"WebhookService/ListFailedDeliveries":  `{"webhook_id":"everybody"}`,
	"WebhookService/RetryFailedDeliveries": `{"webhook_id":"everybody"}`,
	"ModelService/Train":                   `{"algorithm":"popularity","keep_active":true}`,
	"ModelService/GetModel":                `{"version":"active"}`,
	"ModelService/ListModels":              `{}`,
	"ModelService/ActivateModel":           ``,
}

// TestEveryMethod calls every method of every service that the server tells grpcurl of.
func TestEveryMethod(t *testing.T) { everywhere(t, testEveryMethod) }

func testEveryMethod(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	s.fill()
	s.regulars(60)
	s.learnBuyers()
	s.segment("everybody", "true")
	s.segment("gone", "false")
	s.segment("late", "event_counts['purchase'] == 1")
	s.learnLookalikes("late")
	s.webhooks("everybody", "gone")
	var models struct{ Models []struct{ Version string } }
	s.get("/v1/models", &models)
	install := exec.CommandContext(t.Context(), "bash", "../../.ci/tools", "grpcurl")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("install grpcurl: %v\n%s", err, out)
	}
	grpcurl := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "../../.build/bin/grpcurl", append([]string{"-plaintext"}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("grpcurl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	door := s.server.GRPCAddr()
	tried := 0
	for name := range strings.FieldsSeq(grpcurl(door, "list")) {
		if !strings.HasPrefix(name, "attune.") {
			continue
		}
		for method := range strings.FieldsSeq(grpcurl(door, "list", name)) {
			short := strings.Replace(strings.TrimPrefix(method, "attune.v1."), ".", "/", 1)
			text, known := requests[short]
			if !known {
				t.Errorf("%s: no request to try it with", short)
				continue
			}
			if short == "ModelService/ActivateModel" {
				text = `{"version":"` + models.Models[0].Version + `"}`
			}
			tried++
			if short == "SegmentService/WatchSegment" { // which has no end
				out, _ := exec.CommandContext(t.Context(), "../../.build/bin/grpcurl", "-plaintext", "-max-time", "2", "-d", text, door, method).CombinedOutput()
				if !strings.Contains(string(out), "MEMBER") {
					t.Errorf("%s: %s", short, out)
				}
				continue
			}
			grpcurl("-d", text, door, method)
		}
	}
	if tried != len(requests) {
		t.Errorf("%d methods tried, %d known", tried, len(requests))
	}
}
