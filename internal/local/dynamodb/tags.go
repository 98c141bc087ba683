package dynamodb

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

var (
	// tagListShape has no constraints: the service checks tags itself and has words of its own.
	tagListShape = listOf(structOf("Tag", optional("Key", text), optional("Value", text)))
	resourceARN  = optional("ResourceArn", text.atMost(1283))
	tagShape     = structOf("TagResourceInput", resourceARN, mandatory("Tags", tagListShape))
	untagShape   = structOf("UntagResourceInput", resourceARN, mandatory("TagKeys", listOf(text)))

	listTagsShape = structOf("ListTagsOfResourceInput", resourceARN, optional("NextToken", text))
)

// tagText are the characters of tags.
var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// checkTagRequest checks a request of the operations on tags. Whether the caller may do what it asks for is decided before
// its other parameters are looked at.
func (s *Service) checkTagRequest(op string, shape *shape, r request) error {
	if !r.has("ResourceArn") {
		return invalid("Invalid TableArn")
	}
	arn := r.str("ResourceArn")
	if arn == "" {
		return s.denied(op, "*")
	}
	if err := shape.constrained(r); err != nil {
		return err
	}
	parts := strings.SplitN(arn, ":", 6)
	switch {
	case parts[0] != "arn" || len(parts) == 1:
		return invalidParameter("ARNs must start with 'arn:': %s", arn)
	case len(parts) != 6 || parts[2] != "dynamodb":
		return invalidParameter("Provided Arn is not a DynamoDB resource arn: %s", arn)
	case strings.Contains(parts[5], "/index/"):
		return invalidParameter("Invalid resource arn provided, only table or stream is accepted. Provided resource arn: %s", arn)
	case parts[3] != s.region, !strings.HasPrefix(parts[5], "table/"), len(parts[5]) < len("table/")+minTableName:
		return invalid("Invalid TableArn: Invalid ResourceArn provided as input %s", arn)
	case parts[4] != s.account:
		return s.denied(op, arn)
	}
	return nil
}

func (s *Service) denied(op, resource string) error {
	return &awsjson.Error{Type: typeAccessDenied, Message: fmt.Sprintf("User: arn:aws:iam::%s:user/local is not authorized to perform: dynamodb:%s on resource: %s",
		s.account, op, resource)}
}

// readTags reads a list of tags.
func readTags(list []request) (map[string]string, error) {
	tags := make(map[string]string, len(list))
	for _, tag := range list {
		key, value := tag.str("Key"), tag.str("Value")
		if err := checkTagKey(tag["Key"]); err != nil {
			return nil, err
		}
		if !tag.has("Value") || utf8.RuneCountInString(value) > maxTagValue || !tagText.MatchString(value) {
			return nil, invalid("The Tag Value provided is invalid, Value: %s", shown(tag["Value"]))
		}
		if _, twice := tags[key]; twice {
			return nil, invalid("Duplicate Tag Keys provided as input: Duplicate Tag Key found %s", key)
		}
		tags[key] = value
	}
	return tags, checkTagCount(len(tags))
}

func checkTagKey(v any) error {
	key, _ := v.(string)
	switch {
	case key == "" || utf8.RuneCountInString(key) > maxTagKey || !tagText.MatchString(key):
		return invalid("The Tag Key provided is invalid, Key: %s", shown(v))
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return invalid("Tag Key cannot be prefixed with aws:, Key: %s", key)
	}
	return nil
}

func checkTagCount(n int) error {
	if n > maxTags {
		return invalid("Number of Tags exceed the current limit for the provided ResourceArn")
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
	for _, name := range names {
		if err := checkTagKey(name); err != nil {
			return nil, err
		}
	}
	if err := checkTagCount(len(names)); err != nil {
		return nil, err
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
	if err := checkTagCount(len(changed.Tags)); err != nil {
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
