package dynamodb

import "strings"

const maxTags = 50

// readTags reads a list of tags.
func readTags(list []request) (map[string]string, error) {
	tags := make(map[string]string, len(list))
	for _, tag := range list {
		key := tag.str("Key")
		if _, twice := tags[key]; twice {
			return nil, invalidParameter("Duplicate Tag Keys are not allowed: %s", key)
		}
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return nil, invalid("One or more parameter values are not valid. Tag keys cannot start with aws:")
		}
		tags[key] = tag.str("Value")
	}
	if len(tags) > maxTags {
		return nil, tooManyTags()
	}
	return tags, nil
}

func tooManyTags() error {
	return invalid("One or more parameter values are not valid. Too many tags: a table has at most %d", maxTags)
}
