package client

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxString is the length in bytes of any string in MQTT, section 1.5.3.
const maxString = 65535

// maxRemaining is the length of a packet behind its fixed header, section 2.2.3.
const maxRemaining = 268_435_455

// ValidateTopic checks the name of a topic to publish to: 1 to 65535 bytes of UTF-8 without NUL, + and # (MQTT 3.1.1
// section 4.7).
func ValidateTopic(topic string) error {
	if topic == "" {
		return errors.New("the topic is empty")
	}
	if err := validUTF8String("topic", topic); err != nil {
		return err
	}
	if i := strings.IndexAny(topic, "+#"); i >= 0 {
		return fmt.Errorf("the topic %s contains %q, which is a wildcard and stands in filters only", quoted(topic), topic[i])
	}
	return nil
}

// ValidateFilter checks a topic filter: + stands for one whole level, # for all the rest.
func ValidateFilter(filter string) error {
	if filter == "" {
		return errors.New("the topic filter is empty")
	}
	if err := validUTF8String("topic filter", filter); err != nil {
		return err
	}
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		switch {
		case strings.Contains(level, "#") && (level != "#" || i != len(levels)-1):
			return fmt.Errorf("in the topic filter %s # must stand alone and last, as in a/#", quoted(filter))
		case strings.Contains(level, "+") && level != "+":
			return fmt.Errorf("in the topic filter %s + must stand alone between slashes, as in a/+/b", quoted(filter))
		}
	}
	return nil
}

func validUTF8String(what, s string) error {
	switch {
	case len(s) > maxString:
		return fmt.Errorf("the %s of %d bytes exceeds %d", what, len(s), maxString)
	case !utf8.ValidString(s):
		return fmt.Errorf("the %s %s is not UTF-8", what, quoted(s))
	case strings.ContainsRune(s, 0):
		return fmt.Errorf("the %s %s contains a NUL character", what, quoted(s))
	}
	return nil
}

// quoted shows the start of what may be long.
func quoted(s string) string {
	const most = 100
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q…", s[:most])
}
