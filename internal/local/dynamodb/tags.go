package dynamodb

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

const maxTags = 50

var (
	tagShape = structOf("TagResourceInput",
		resourceARN,
		mandatory("Tags", tagListShape),
	)
	untagShape = structOf("UntagResourceInput",
		resourceARN,
		mandatory("TagKeys", listOf(text.atLeast(1).atMost(128))),
	)
	listTagsShape = structOf("ListTagsOfResourceInput",
		resourceARN,
		optional("NextToken", text),
	)

	resourceARN = optional("ResourceArn", text.atMost(1283))

	// anyResource is what a policy can speak of, tableResource what can have tags.
	anyResource   = regexp.MustCompile(`^.+:.+:.+:.+:.+:.+/.+$`)
	tableResource = regexp.MustCompile(`^arn:aws[^:]*:dynamodb:[^:]+:[0-9]+:table/[a-zA-Z0-9_.-]{3,255}$`)
)

// checkTagRequest checks a request of the operations on tags. Whether the caller may do what it asks for is decided before
// its other parameters are looked at, and nobody may anything with what is not the name of a resource at all.
func (s *Service) checkTagRequest(op string, shape *shape, r request) error {
	if !r.has("ResourceArn") {
		return invalid("Invalid TableArn")
	}
	arn := r.str("ResourceArn")
	if !anyResource.MatchString(arn) {
		return &awsjson.Error{Type: typeAccessDenied, Message: fmt.Sprintf("User: arn:aws:iam::%s:user/local is not authorized to perform: dynamodb:%s on resource: %s",
			s.account, op, cmp.Or(arn, "*"))}
	}
	if err := shape.constrained(r); err != nil {
		return err
	}
	if !tableResource.MatchString(arn) {
		return invalid("Invalid TableArn: Invalid ResourceArn provided as input %s", arn)
	}
	return nil
}

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
	t, ok := s.tables[tableName(arn)]
	if !ok || s.arn(t) != arn {
		return nil, failure("ResourceNotFoundException", "Requested resource not found: ResourcArn: %s not found", arn)
	}
	return t, nil
}

func (s *Service) tagResource(r request) (object, error) {
	if err := s.checkTagRequest("TagResource", tagShape, r); err != nil {
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
	if err := s.checkTagRequest("UntagResource", untagShape, r); err != nil {
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
	if err := s.checkTagRequest("ListTagsOfResource", listTagsShape, r); err != nil {
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
