package scylla

import "github.com/gocql/gocql"

// tries bounds those of one request.
const tries = 5

// retries says what is tried again: not what no server will take.
type retries struct {
	*gocql.ExponentialBackoffRetryPolicy
}

// GetRetryType implements gocql.RetryPolicy.
func (r retries) GetRetryType(err error) gocql.RetryType {
	if mistaken(err) {
		return gocql.Rethrow
	}
	return r.ExponentialBackoffRetryPolicy.GetRetryType(err)
}

// GetRetryTypeLWT implements gocql.LWTRetryPolicy.
func (r retries) GetRetryTypeLWT(err error) gocql.RetryType {
	if mistaken(err) {
		return gocql.Rethrow
	}
	return r.ExponentialBackoffRetryPolicy.GetRetryTypeLWT(err)
}

// rounds begins with the first node again where all were tried. The driver tries again on the
// next node only, and of a single one there is none.
type rounds struct{ gocql.HostSelectionPolicy }

// Pick implements gocql.HostSelectionPolicy.
func (r rounds) Pick(query gocql.ExecutableQuery) gocql.NextHost {
	next, round := r.HostSelectionPolicy.Pick(query), 1
	return func() gocql.SelectedHost {
		host := next()
		for ; host == nil && round < tries; round++ {
			next = r.HostSelectionPolicy.Pick(query)
			host = next()
		}
		return host
	}
}
