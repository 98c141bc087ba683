package expr

import (
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// Go's regular expressions take time in proportion to the text times the steps
// of the pattern. That is harmless for a pattern in the flow file; one that came
// with a message can have so many steps that the process runs out of memory or
// is busy for an hour.
const (
	maxPattern   = 1 << 10    // bytes
	maxMatchWork = 32_000_000 // bytes of the text × steps of the pattern
)

// matches is `text matches pattern` for a pattern that is no constant.
func matches(text, pattern any) (any, error) {
	if text == nil || pattern == nil {
		return false, nil
	}
	if b, ok := text.([]byte); ok {
		text = string(b)
	}
	t, ok := text.(string)
	p, isText := pattern.(string)
	if !ok || !isText {
		return nil, mismatch("matches", text, pattern)
	}
	if len(p) > maxPattern {
		return nil, fmt.Errorf("the pattern is longer than %d bytes", maxPattern)
	}
	steps, err := patternSteps(p)
	if err != nil {
		return nil, fmt.Errorf("%s is not a pattern: %w", shortened(p), err)
	}
	if steps*(len(t)+1) > maxMatchWork {
		return nil, fmt.Errorf("the pattern has %d steps, too many to try on a text of %d bytes", steps, len(t))
	}
	re, err := regexp.Compile(p)
	if err != nil {
		return nil, err
	}
	return re.MatchString(t), nil
}

func patternSteps(pattern string) (int, error) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, err
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0, err
	}
	return len(program.Inst), nil
}

// shortened is a text of a message for an error.
func shortened(s string) string {
	b, _ := value.Append(nil, s)
	if r := []rune(string(b)); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return string(b)
}
