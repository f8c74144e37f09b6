package server

import (
	"context"
	"time"

	"github.com/attune-shop/attune/server/webhook"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/membership"
)

// openWebhooks wires the webhooks: who delivers to them, and the service. Their clock is the machine's,
// whatever --now says: receivers refuse what is signed at another time than theirs.
func (s *Server) openWebhooks(ctx context.Context, cfg *Config, stores store.Stores, book *membership.Book) *webhook.Service {
	service := webhook.Open(ctx, webhook.Options{
		Store: stores, Book: book, Reader: membership.NewReader(stores), AllowPrivate: cfg.WebhookAllowPrivate,
		Now: time.Now, Logger: s.logger,
	})
	s.closing = append(s.closing, service.Close)
	return service
}
