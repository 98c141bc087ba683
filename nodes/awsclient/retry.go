package awsclient

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/flowctl-dev/flowctl/engine"
)

const (
	attempts = 3

	retryBase    = 100 * time.Millisecond
	throttleBase = 500 * time.Millisecond
	retryMost    = 2 * time.Second
	// leftForRetry is what a deadline must leave for another attempt: a pause
	// and a short call.
	leftForRetry = 400 * time.Millisecond
)

// retryer is the SDK's standard retryer, with its quota that turns retries off
// while a service is down, but with shorter pauses and an eye on the deadline:
// what failed is better told in time than lost in "deadline exceeded". What is
// beyond three attempts is the business of the flow's own retry.
type retryer struct{ *retry.Standard }

var _ aws.RetryerV2 = retryer{}

func newRetryer() retryer {
	return retryer{retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.Backoff = retry.BackoffDelayerFunc(pause)
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(inTransit)}, o.Retryables...)
	})}
}

// inTransit says that an answer that broke off or came too late may be asked
// for again: the SDK sees such an error of the body as one of its content.
func inTransit(err error) aws.Ternary {
	if brokenOff(err) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

func pause(attempt int, err error) (time.Duration, error) {
	base := retryBase
	if retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err).Bool() {
		base = throttleBase
	}
	return engine.Backoff(max(attempt, 1), base, retryMost), nil
}

// GetRetryToken refuses another attempt that the deadline leaves no time for.
func (r retryer) GetRetryToken(ctx context.Context, failed error) (func(error) error, error) {
	if end, ok := ctx.Deadline(); ok {
		if left := time.Until(end); left < leftForRetry {
			return nil, fmt.Errorf("not tried again: %s left", left.Round(time.Millisecond))
		}
	}
	return r.Standard.GetRetryToken(ctx, failed)
}
