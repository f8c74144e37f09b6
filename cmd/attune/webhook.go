package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

type webhookCmd struct {
	Create webhookCreateCmd `cmd:"" help:"Send who enters and who leaves segments to a URL, from now on."`
	List   webhookListCmd   `cmd:"" help:"List the webhooks."`
	Get    webhookGetCmd    `cmd:"" help:"Show a webhook and how its deliveries go."`
	Update webhookUpdateCmd `cmd:"" help:"Change, pause or resume a webhook, or rotate its secret."`
	Delete webhookDeleteCmd `cmd:"" help:"Delete a webhook."`
	Test   webhookTestCmd   `cmd:"" help:"Send one signed delivery without changes, and show what came back."`
	Failed webhookFailedCmd `cmd:"" help:"List the deliveries that were given up."`
	Retry  webhookRetryCmd  `cmd:"" help:"Have deliveries that were given up sent again."`
}

type webhookCreateCmd struct {
	ID      string   `arg:"" help:"Id of the new webhook: letters, digits, '-', '_' and '.'."`
	URL     string   `arg:"" help:"Where to send to, as in https://shop.example/attune."`
	Segment []string `help:"Only changes of these segments." placeholder:"ID" sep:"none"`
	remote
}

// Run defines a webhook and prints it with its secret.
func (c *webhookCreateCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		made, err := s.webhooks.CreateWebhook(ctx, &attunev1.CreateWebhookRequest{WebhookId: c.ID, Url: c.URL, SegmentIds: c.Segment})
		if err != nil {
			return err
		}
		return c.showWebhook(out, made)
	})
}

type webhookUpdateCmd struct {
	ID           string   `arg:"" help:"The webhook's id."`
	URL          *string  `help:"Where to send to." placeholder:"URL"`
	Pause        bool     `help:"Send nothing until it is resumed." xor:"pause"`
	Resume       bool     `help:"Go on where it was paused." xor:"pause"`
	Segment      []string `help:"Only changes of these segments." placeholder:"ID" sep:"none" xor:"segments"`
	AllSegments  bool     `help:"Changes of all segments." xor:"segments"`
	RotateSecret bool     `help:"Make another secret; the old one signs as well for a day."`
	remote
}

// Run changes a webhook and prints it.
func (c *webhookUpdateCmd) Run(ctx context.Context, out io.Writer) error {
	request := &attunev1.UpdateWebhookRequest{WebhookId: c.ID, Url: c.URL, RotateSecret: c.RotateSecret}
	if c.Pause || c.Resume {
		request.Paused = &c.Pause
	}
	if len(c.Segment) > 0 || c.AllSegments {
		request.Segments = &attunev1.SegmentList{SegmentIds: c.Segment}
	}
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		changed, err := s.webhooks.UpdateWebhook(ctx, request)
		if err != nil {
			return err
		}
		return c.showWebhook(out, changed)
	})
}

type webhookGetCmd struct {
	ID string `arg:"" help:"The webhook's id."`
	remote
}

// Run prints a webhook.
func (c *webhookGetCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		found, err := s.webhooks.GetWebhook(ctx, &attunev1.GetWebhookRequest{WebhookId: c.ID})
		if err != nil {
			return err
		}
		return c.showWebhook(out, found)
	})
}

// showWebhook prints one webhook.
func (r *remote) showWebhook(out io.Writer, w *attunev1.Webhook) error {
	if r.Output == "json" {
		return printJSON(out, w)
	}
	p := &printer{to: out}
	p.line("%s %s, %s", plain(w.GetWebhookId()), plain(w.GetUrl()), pauseOf(w))
	if len(w.GetSegmentIds()) > 0 {
		p.line("segments: %s", listed(w.GetSegmentIds()))
	}
	if w.GetSecret() != "" {
		p.line("secret: %s (it is not shown again)", plain(w.GetSecret()))
	}
	state := w.GetState()
	p.line("%s changes delivered, %s rows behind", thousands(state.GetDeliveredChanges()), thousands(state.GetLag()))
	if state.GetLastError() != "" {
		p.line("last error: %s, %s; %d failures in a row", plain(state.GetLastError()), state.GetLastFailedAt().AsTime().Format(time.RFC3339), state.GetFailuresInRow())
	}
	if state.GetFailedDeliveries() > 0 {
		p.line("%s failed deliveries: attune webhook failed %s", thousands(state.GetFailedDeliveries()), plain(w.GetWebhookId()))
	}
	if state.GetMissedRows() > 0 {
		p.line("%s rows of changes were missed: they were not kept that long", thousands(state.GetMissedRows()))
	}
	return p.err
}

// pauseOf says whether a webhook delivers.
func pauseOf(w *attunev1.Webhook) string {
	switch {
	case w.GetPausedReason() != "":
		return "paused: " + plain(w.GetPausedReason())
	case w.GetPaused():
		return "paused"
	default:
		return "active"
	}
}

type webhookListCmd struct{ remote }

// Run prints all webhooks.
func (c *webhookListCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.webhooks.ListWebhooks(ctx, &attunev1.ListWebhooksRequest{})
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return printJSON(out, response)
		}
		var rows []string
		for _, w := range response.GetWebhooks() {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s rows behind", plain(w.GetWebhookId()), plain(w.GetUrl()), pauseOf(w), thousands(w.GetState().GetLag())))
		}
		p := &printer{to: out}
		p.table("", rows)
		return p.err
	})
}

type webhookDeleteCmd struct {
	ID string `arg:"" help:"The webhook's id."`
	remote
}

// Run deletes a webhook.
func (c *webhookDeleteCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.webhooks.DeleteWebhook(ctx, &attunev1.DeleteWebhookRequest{WebhookId: c.ID})
		if err != nil {
			return err
		}
		return c.say(out, response, "%s is deleted", plain(c.ID))
	})
}

type webhookTestCmd struct {
	ID string `arg:"" help:"The webhook's id."`
	remote
}

// Run sends a test and prints what came back. It fails where the receiver did not take it.
func (c *webhookTestCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.webhooks.TestWebhook(ctx, &attunev1.TestWebhookRequest{WebhookId: c.ID})
		if err != nil {
			return err
		}
		err = c.say(out, response, "%s: status %d %s", response.GetDeliveryId(), response.GetStatusCode(), plain(response.GetBody()))
		if err == nil && !response.GetDelivered() {
			return errors.New("not delivered: " + plain(response.GetFailure()))
		}
		return err
	})
}

type webhookFailedCmd struct {
	ID string `arg:"" help:"The webhook's id."`
	page
	remote
}

// Run prints a page of failed deliveries.
func (c *webhookFailedCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.webhooks.ListFailedDeliveries(ctx, &attunev1.ListFailedDeliveriesRequest{
			WebhookId: c.ID, PageSize: c.PageSize, PageToken: c.PageToken,
		})
		if err != nil {
			return err
		}
		var rows []string
		for _, d := range response.GetDeliveries() {
			retrying := ""
			if d.GetRetrying() {
				retrying = "is sent again"
			}
			rows = append(rows, fmt.Sprintf("%s\t%s\t%d changes\t%d tries\t%s\t%s", plain(d.GetDeliveryId()),
				d.GetFailedAt().AsTime().Format(time.RFC3339), len(d.GetChanges()), d.GetTries(), plain(d.GetError()), retrying))
		}
		return printPage(out, c.Output, response, rows)
	})
}

type webhookRetryCmd struct {
	ID         string   `arg:"" help:"The webhook's id."`
	Deliveries []string `arg:"" optional:"" help:"Ids of deliveries; all that failed where there are none."`
	remote
}

// Run has failed deliveries sent again.
func (c *webhookRetryCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.webhooks.RetryFailedDeliveries(ctx, &attunev1.RetryFailedDeliveriesRequest{WebhookId: c.ID, DeliveryIds: c.Deliveries})
		if err != nil {
			return err
		}
		return c.say(out, response, "%s deliveries are sent again", thousands(response.GetRetried()))
	})
}
