package webhook

import (
	"context"

	"github.com/attune-shop/attune/store/register"
)

// retryFailed sends failed deliveries again that somebody asked for, each once.
func (r *run) retryFailed(ctx context.Context) error {
	kept, _, err := register.Read[failures](ctx, r.options.Store, failedRegister(r.hook.Number))
	if err != nil {
		return err
	}
	for i := range kept.Failures {
		if one := &kept.Failures[i]; one.Retry {
			if err := r.retry(ctx, one); err != nil {
				return err
			}
		}
	}
	return nil
}

// retry sends a failed delivery once. It is removed where it is taken, or where its body is there no more;
// else it is kept with what it failed with now.
func (r *run) retry(ctx context.Context, one *failure) error {
	body, err := failedBody(ctx, r.options.Store, r.hook.Number, one)
	if err != nil {
		return err
	}
	got := answer{}
	if body != nil {
		got = r.sender.send(ctx, r.hook, one.ID, body)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.failing.Lock()
	defer r.failing.Unlock()
	if got.err == nil {
		r.ledger.change(func(p *progress) { r.delivered(p, one.Changes) })
		return dropFailure(ctx, r.options.Store, r.hook.Number, one)
	}
	_, _, err = register.Change(ctx, r.options.Store, failedRegister(r.hook.Number), func(f *failures) error {
		if at := f.find(one.ID); at >= 0 {
			again := &f.Failures[at]
			again.Retry, again.FailedAt = false, r.options.Now()
			again.because(got.err)
			again.Tries++
		}
		return nil
	})
	return err
}
