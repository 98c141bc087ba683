package dynamodb

import (
	"maps"
	"slices"
	"strings"
)

const maxTags = 50

var (
	tagShape = structOf("TagResourceInput",
		mandatory("ResourceArn", text.atLeast(1).atMost(1283)),
		mandatory("Tags", tagListShape),
	)
	untagShape = structOf("UntagResourceInput",
		mandatory("ResourceArn", text.atLeast(1).atMost(1283)),
		mandatory("TagKeys", listOf(text.atLeast(1).atMost(128))),
	)
	listTagsShape = structOf("ListTagsOfResourceInput",
		mandatory("ResourceArn", text.atLeast(1).atMost(1283)),
		optional("NextToken", text),
	)
)

// readTags reads a list of tags.
func readTags(list []request) (map[string]string, error) {
	tags := make(map[string]string, len(list))
	for _, tag := range list {
		key := tag.str("Key")
		if _, twice := tags[key]; twice {
			return nil, invalid("One or more parameter values are not valid. Duplicate tag key: %s", key)
		}
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return nil, invalid("One or more parameter values are not valid. Tag keys cannot start with aws: %s", key)
		}
		tags[key] = tag.str("Value")
	}
	return tags, checkTagCount(tags)
}

func checkTagCount(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalid("One or more parameter values are not valid. Too many tags: a table has at most %d", maxTags)
	}
	return nil
}

// tagged finds the table of an ARN; the caller holds mu.
func (s *Service) tagged(r request) (*table, error) {
	arn := r.str("ResourceArn")
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "dynamodb" || !strings.HasPrefix(parts[5], "table/") || len(parts[5]) <= len("table/") {
		return nil, invalid("Invalid TableArn: Invalid ResourceArn provided as input %s", arn)
	}
	t, ok := s.tables[tableName(arn)]
	if !ok || s.arn(t) != arn {
		return nil, failure("ResourceNotFoundException", "Requested resource not found: ResourcArn: %s not found", arn)
	}
	return t, nil
}

func (s *Service) tagResource(r request) (object, error) {
	if err := tagShape.constrained(r); err != nil {
		return nil, err
	}
	list := r.objects("Tags")
	if len(list) == 0 {
		return nil, invalid("Atleast one Tag needs to be provided as Input.")
	}
	added, err := readTags(list)
	if err != nil {
		return nil, err
	}
	return nil, s.changeTags(r, func(tags map[string]string) { maps.Copy(tags, added) })
}

func (s *Service) untagResource(r request) (object, error) {
	if err := untagShape.constrained(r); err != nil {
		return nil, err
	}
	names := r.strings("TagKeys")
	if len(names) == 0 {
		return nil, invalid("Atleast one Tag Key needs to be provided as Input.")
	}
	return nil, s.changeTags(r, func(tags map[string]string) {
		for _, n := range names {
			delete(tags, n)
		}
	})
}

func (s *Service) changeTags(r request, change func(map[string]string)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagged(r)
	if err != nil {
		return err
	}
	changed := *t
	changed.Tags = maps.Clone(t.Tags)
	if changed.Tags == nil {
		changed.Tags = map[string]string{}
	}
	change(changed.Tags)
	if err := checkTagCount(changed.Tags); err != nil {
		return err
	}
	return s.replaceTable(&changed)
}

func (s *Service) listTagsOfResource(r request) (object, error) {
	if err := listTagsShape.constrained(r); err != nil {
		return nil, err
	}
	if r.str("NextToken") != "" {
		return nil, invalid("Invalid NextToken: all tags of a table come in one page")
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.tagged(r)
	if err != nil {
		return nil, err
	}
	tags := make([]object, 0, len(t.Tags))
	for _, name := range slices.Sorted(maps.Keys(t.Tags)) {
		tags = append(tags, object{"Key": name, "Value": t.Tags[name]})
	}
	return object{"Tags": tags}, nil
}
