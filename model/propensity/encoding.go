package propensity

import (
	"encoding/json"
	"fmt"

	"github.com/attune-shop/attune/model/event"
)

// version is that of the stored form. It changes where a feature does.
const version = 1

// stored is the stored form of a Model.
type stored struct {
	Version  int             `json:"version"`
	Bias     float64         `json:"bias"`
	Features []storedFeature `json:"features"`
}

type storedFeature struct {
	Name      string  `json:"name"`
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"`
	Weight    float64 `json:"weight"`
}

// MarshalJSON writes the stored form: the weight of each scaled feature, by name.
func (m *Model) MarshalJSON() ([]byte, error) {
	l := m.logistic
	to := stored{Version: version, Bias: l.bias}
	for j, name := range names {
		to.Features = append(to.Features, storedFeature{Name: name, Mean: l.mean[j], Deviation: l.deviation[j], Weight: l.weights[j]})
	}
	return json.Marshal(to)
}

// UnmarshalJSON reads the stored form. An error wraps event.ErrNewerVersion, or event.ErrCorrupt
// where the features are not those of the version.
func (m *Model) UnmarshalJSON(data []byte) error {
	var from stored
	if err := json.Unmarshal(data, &from); err != nil {
		return fmt.Errorf("likely buyers: %w: %w", event.ErrCorrupt, err)
	}
	switch {
	case from.Version > version:
		return fmt.Errorf("likely buyers: version %d: %w", from.Version, event.ErrNewerVersion)
	case from.Version < version:
		return fmt.Errorf("likely buyers: version %d: %w", from.Version, event.ErrCorrupt)
	case len(from.Features) != size:
		return fmt.Errorf("likely buyers: %d features, not %d: %w", len(from.Features), size, event.ErrCorrupt)
	}
	l := &logistic{bias: from.Bias}
	for j, f := range from.Features {
		if f.Name != names[j] {
			return fmt.Errorf("likely buyers: feature %d is %q, not %q: %w", j, f.Name, names[j], event.ErrCorrupt)
		}
		if f.Deviation < 0 || f.Deviation > 0 && !finite(f.Weight/f.Deviation*f.Mean) {
			return fmt.Errorf("likely buyers: %q is out of bounds: %w", f.Name, event.ErrCorrupt)
		}
		l.mean, l.deviation, l.weights = append(l.mean, f.Mean), append(l.deviation, f.Deviation), append(l.weights, f.Weight)
	}
	m.logistic = l
	return nil
}
