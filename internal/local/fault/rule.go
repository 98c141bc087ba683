package fault

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Rule says how often one operation, or all of a service, is to fail and how.
type Rule struct {
	// Service is sqs, dynamodb or mqtt; Operation is one of its operations, or * for all.
	Service, Operation string
	// Shares are the kinds of faults, each with its part of all operations in percent; together 100 at most.
	Shares []Share
	// DelayMin and DelayMax bound the time that each operation waits before it is done or broken.
	DelayMin, DelayMax time.Duration
	// Duplicate is the part of the received messages, in percent, that come once more.
	Duplicate float64
}

// Share is how many operations of a hundred meet a kind of fault.
type Share struct {
	Kind    Kind
	Percent float64
}

// Example is a rule to show to users.
const Example = "dynamodb.GetItem:throttle=50%,delay=2s"

const maxDelay = time.Hour

func (r Rule) isFor(service, operation string) bool {
	if r.Service != service {
		return false
	}
	return r.Operation == operation || r.Operation == "*" && slices.Contains(services[service].operations, operation)
}

// String is the rule as Parse takes it.
func (r Rule) String() string {
	var parts []string
	for _, s := range r.Shares {
		parts = append(parts, string(s.Kind)+"="+percent(s.Percent))
	}
	if r.DelayMax > 0 {
		text := r.DelayMin.String()
		if r.DelayMin != r.DelayMax {
			text += ".." + r.DelayMax.String()
		}
		parts = append(parts, delay+"="+text)
	}
	if r.Duplicate > 0 {
		parts = append(parts, duplicate+"="+percent(r.Duplicate))
	}
	return r.Service + "." + r.Operation + ":" + strings.Join(parts, ",")
}

func percent(p float64) string { return strconv.FormatFloat(p, 'g', -1, 64) + "%" }

// Parse reads SERVICE.OPERATION:FAULT=HOW,FAULT=HOW..., as in Example. The
// operation * stands for all of the service. The faults are:
//
//	throttle=P%    answer as the service does when it is asked too often
//	error=P%       answer with status 500
//	drop=P%        close the connection, the operation is not done
//	drop-reply=P%  do the operation and close the connection
//	refuse=P%      mqtt.connect: say that the server is unavailable
//	duplicate=P%   sqs.ReceiveMessage: give the message once more, from a standard queue
//	delay=D        wait so long first, or for a random time between two, D..D
//
// The error says what is wrong and what there is to choose from.
func Parse(text string) (Rule, error) {
	target, faults, ok := strings.Cut(text, ":")
	if !ok {
		return Rule{}, fmt.Errorf("fault %q has no colon between the operation and what happens to it; write it as in %s", text, Example)
	}
	r, allowed, err := parseTarget(strings.TrimSpace(target))
	if err != nil {
		return Rule{}, fmt.Errorf("fault %q: %w", text, err)
	}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(faults, ",") {
		name, how, _ := strings.Cut(part, "=")
		name, how = strings.TrimSpace(name), strings.TrimSpace(how)
		if !slices.Contains(allowed, name) {
			return Rule{}, fmt.Errorf("fault %q: %w", text, unknown("fault", name, allowed, r.Service+"."+r.Operation))
		}
		if seen[name] {
			return Rule{}, fmt.Errorf("fault %q: %s is there twice", text, name)
		}
		seen[name] = true
		if err := r.add(name, how); err != nil {
			return Rule{}, fmt.Errorf("fault %q: %s: %w", text, name, err)
		}
	}
	sum := 0.0
	for _, s := range r.Shares {
		sum += s.Percent
	}
	if sum > 100+1e-9 { // the sum of fractions may be off by its last digit
		return Rule{}, fmt.Errorf("fault %q: the shares add up to %s of the operations; 100%% is all there are", text, percent(sum))
	}
	return r, nil
}

// parseTarget reads SERVICE.OPERATION and gives the names of the faults that
// can be had there.
func parseTarget(target string) (r Rule, allowed []string, err error) {
	name, operation, ok := strings.Cut(target, ".")
	s, known := services[name]
	if !known {
		return r, nil, unknown("service", name, serviceNames(), "")
	}
	if !ok || operation == "" {
		return r, nil, fmt.Errorf("%s names no operation; write %s.* for all, or one of %s", target, name, strings.Join(s.operations, ", "))
	}
	if operation != "*" && !slices.Contains(s.operations, operation) {
		return r, nil, unknown("operation", operation, append([]string{"*"}, s.operations...), name)
	}
	return Rule{Service: name, Operation: operation}, s.faultsOf(operation), nil
}

func unknown(what, name string, possible []string, of string) error {
	hint := expr.Nearest(name, possible)
	if hint != "" {
		hint += " "
	}
	if of != "" {
		of = " of " + of
	}
	return fmt.Errorf("%q is no %s%s; %sthere are %s", name, what, of, hint, strings.Join(possible, ", "))
}

func (r *Rule) add(name, how string) (err error) {
	switch name {
	case delay:
		r.DelayMin, r.DelayMax, err = parseDelay(how)
	case duplicate:
		r.Duplicate, err = parsePercent(how)
	default:
		var p float64
		p, err = parsePercent(how)
		r.Shares = append(r.Shares, Share{Kind(name), p})
	}
	return err
}

// parsePercent reads a share that happens at all: above 0% and up to 100%.
func parsePercent(text string) (float64, error) {
	digits, ok := strings.CutSuffix(text, "%")
	p, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !(p > 0 && p <= 100) {
		return 0, fmt.Errorf("%q is not a share of the operations; write one above 0%% and up to 100%%, such as 50%% or 0.5%%", text)
	}
	return p, nil
}

func parseDelay(text string) (least, most time.Duration, err error) {
	from, to, ranged := strings.Cut(text, "..")
	if !ranged {
		to = from
	}
	least, err = time.ParseDuration(from)
	if err == nil {
		most, err = time.ParseDuration(to)
	}
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("%q is not a time; write one such as 200ms or 2s, or a range such as 100ms..2s", text)
	case least < 0 || most <= 0 || most < least:
		return 0, 0, fmt.Errorf("%q is not a time to wait; write one above 0, or a range whose end is not before its start", text)
	case most > maxDelay:
		return 0, 0, fmt.Errorf("%q is longer than the %s that there may be", text, maxDelay)
	}
	return least, most, nil
}
