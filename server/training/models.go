package training

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/fault"
	"github.com/attune-shop/attune/store"
)

const (
	// tokenKind marks the page tokens of ListModels.
	tokenKind = "models"
	// activeVersion names the version in service.
	activeVersion = "active"
)

// GetModel answers one version; "active" names the one in service: event.ErrNoModel where
// there is none.
func (s *Service) GetModel(ctx context.Context, request *attunev1.GetModelRequest) (*attunev1.Model, error) {
	version := request.GetVersion()
	if version == activeVersion {
		if _, version = s.holder.Active(); version == "" {
			return nil, fmt.Errorf("in service: %w", event.ErrNoModel)
		}
	}
	model, err := s.find(ctx, version)
	if err != nil {
		return nil, err
	}
	return s.message(model), nil
}

// ListModels answers the versions kept, newest first.
func (s *Service) ListModels(ctx context.Context, request *attunev1.ListModelsRequest) (*attunev1.ListModelsResponse, error) {
	size, err := fault.PageSize(request.GetPageSize())
	if err != nil {
		return nil, err
	}
	var after string
	if token := request.GetPageToken(); token != "" {
		if after, err = fault.DecodeToken(tokenKind, token); err != nil {
			return nil, err
		}
	}
	models, err := s.store.Models(ctx)
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	response := &attunev1.ListModelsResponse{}
	for _, m := range models {
		if after != "" && m.Version >= after {
			continue
		}
		if n := len(response.Models); n == size {
			response.NextPageToken = fault.EncodeToken(tokenKind, response.Models[n-1].Version)
			break
		}
		response.Models = append(response.Models, s.message(m))
	}
	return response, nil
}

// ActivateModel puts a version in service once it has been read: event.ErrCorrupt where
// it cannot be, and the one in service stays.
func (s *Service) ActivateModel(ctx context.Context, request *attunev1.ActivateModelRequest) (*attunev1.Model, error) {
	model, err := s.find(ctx, request.GetVersion())
	if err != nil {
		return nil, err
	}
	snapshot, err := s.read(ctx, model.Version)
	if err != nil {
		return nil, err
	}
	if err := s.activate(ctx, snapshot, model.Version, func() error { return nil }); err != nil {
		return nil, err
	}
	return s.message(model), nil
}

func (s *Service) find(ctx context.Context, version string) (store.Model, error) {
	if version == "" {
		return store.Model{}, event.Invalid("version", "must not be empty")
	}
	models, err := s.store.Models(ctx)
	if err != nil {
		return store.Model{}, fmt.Errorf("models: %w", err)
	}
	for _, m := range models {
		if m.Version == version {
			return m, nil
		}
	}
	return store.Model{}, fmt.Errorf("model %q: %w", version, event.ErrNotFound)
}

func (s *Service) message(m store.Model) *attunev1.Model {
	_, serving := s.holder.Active()
	message := &attunev1.Model{
		Version:      m.Version,
		Algorithm:    m.Algorithm,
		CreatedAt:    timestamppb.New(m.CreatedAt),
		Active:       m.Version == serving,
		Users:        int64(m.Users),
		Items:        int64(m.Items),
		Interactions: int64(m.Interactions),
		SizeBytes:    m.SizeBytes,
		Metric:       m.Metric,
		Choice:       m.Choice,
	}
	for _, e := range m.Evaluations {
		message.Evaluations = append(message.Evaluations, evaluation(e))
	}
	return message
}

func evaluation(e store.Evaluation) *attunev1.Evaluation {
	return &attunev1.Evaluation{
		Algorithm: e.Algorithm, Settings: e.Settings, Metrics: e.Metrics, StandardErrors: e.Errors,
		Users: int64(e.Users), FitSeconds: e.Fit.Seconds(),
	}
}

// kept is an evaluation as it is kept.
func kept(e cf.Evaluation) store.Evaluation {
	return store.Evaluation{
		Algorithm: e.Algorithm, Settings: e.Settings.Values(), Metrics: e.Metrics, Errors: e.Errors,
		Users: e.Users, Fit: e.Fit,
	}
}
