package propensity

import "time"

// What recency is since.
const (
	LastEvent    = "last_event"
	LastPurchase = "last_purchase"
)

// Report is what was reached on the held-out weeks.
type Report struct {
	// From is the first cut of the held-out weeks, To their end.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// FittedSamples are those before the held-out weeks, which what is measured was fitted on;
	// FittedPositives of them purchased.
	FittedSamples   int `json:"fitted_samples"`
	FittedPositives int `json:"fitted_positives"`
	// Penalty is what was chosen before the held-out weeks.
	Penalty float64    `json:"penalty"`
	All     Comparison `json:"all"`
	// Again is over those only who had purchased before, who are left where a shop's data hold
	// nobody but buyers; nil where too few of them purchased again.
	Again *Comparison `json:"again,omitempty"`
}

// Comparison is of the model with recency alone on the same samples.
type Comparison struct {
	// Users were looked at Samples times; Positives times they purchased thereafter.
	Users     int     `json:"users"`
	Samples   int     `json:"samples"`
	Positives int     `json:"positives"`
	Model     Figures `json:"model"`
	// Recency is what the days since RecencyOf tell, by a regression of their own: LastEvent or
	// LastPurchase, whichever is better on these samples.
	Recency   Figures    `json:"recency"`
	RecencyOf string     `json:"recency_of"`
	Better    Difference `json:"better"`
}

// Figures are what one model reached.
type Figures struct {
	// AUC is the chance that who purchases is ranked above who does not, Interval where it lies.
	AUC      float64  `json:"auc"`
	Interval Interval `json:"interval"`
	LogLoss  float64  `json:"log_loss"`
	Brier    float64  `json:"brier"`
	// CalibrationError is the mean over samples of |predicted - observed| of their bin.
	CalibrationError float64 `json:"calibration_error"`
	// Calibration has bins of as many samples each, from the least chances up.
	Calibration []Bin `json:"calibration"`
}

// Bin tells of samples with about the same chance.
type Bin struct {
	// Predicted is the mean of the chances, Observed the share with a purchase.
	Predicted float64 `json:"predicted"`
	Observed  float64 `json:"observed"`
	Samples   int     `json:"samples"`
}

// Difference is the AUC of the model less that of recency alone; the model is better where the
// interval, of both over the same draws of users, is above 0.
type Difference struct {
	AUC      float64  `json:"auc"`
	Interval Interval `json:"interval"`
}
