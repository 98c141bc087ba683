package sqs

import "github.com/flowctl-dev/flowctl/engine/expr"

// Outside is the URL of a queue that the author named and that flowctl does not
// create; "" when the queue is the app's own. It may be called once the
// resource's expressions are compiled.
func (q *Queue) Outside() (string, error) { return q.URL.Get(&expr.Env{}) }
