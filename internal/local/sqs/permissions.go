package sqs

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

const maxActions = 7

// shareable are the actions that AddPermission can give to other accounts. See AddPermission in the SQS API reference.
var shareable = []string{"*", "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility",
	"GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue"}

// policy is a queue's Policy attribute, a document of IAM's grammar.
type policy struct {
	Version   string            `json:"Version,omitempty"`
	ID        string            `json:"Id,omitempty"`
	Statement []json.RawMessage `json:"Statement"`
}

// statement is one that AddPermission writes.
type statement struct {
	Sid       string
	Effect    string
	Principal struct{ AWS oneOrMore }
	Action    oneOrMore
	Resource  string
}

// oneOrMore is a list that IAM's grammar writes as a text when it has one element.
type oneOrMore []string

func (o oneOrMore) MarshalJSON() ([]byte, error) {
	if len(o) == 1 {
		return json.Marshal(o[0])
	}
	return json.Marshal([]string(o))
}

// parsePolicy reads a Policy attribute; the statement of a document may stand there without brackets.
func parsePolicy(text string) (*policy, error) {
	var raw struct {
		Version, Id string
		Statement   json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, err
	}
	p := &policy{Version: raw.Version, ID: raw.Id}
	if len(raw.Statement) == 0 {
		return p, nil
	}
	if raw.Statement[0] == '{' {
		p.Statement = []json.RawMessage{raw.Statement}
		return p, nil
	}
	return p, json.Unmarshal(raw.Statement, &p.Statement)
}

// labelled finds the statement of a label, -1 when there is none.
func (p *policy) labelled(label string) int {
	return slices.IndexFunc(p.Statement, func(raw json.RawMessage) bool {
		var s struct{ Sid string }
		return json.Unmarshal(raw, &s) == nil && s.Sid == label
	})
}

func (s *Service) addPermission(_ context.Context, in *addPermissionRequest) (*empty, error) {
	if err := checkPermission(in); err != nil {
		return nil, err
	}
	return s.change(in.QueueUrl, func(q *queue, c *config, _ map[string]string) error {
		p := &policy{Version: "2008-10-17", ID: q.arn + "/SQSDefaultPolicy"}
		if text := c.set["Policy"]; text != "" {
			var err error
			if p, err = parsePolicy(text); err != nil {
				return invalidAttribute("Policy", "")
			}
		}
		if p.labelled(in.Label) >= 0 {
			return invalidValue(in.Label, "Label", "Already exists.")
		}
		added := statement{Sid: in.Label, Effect: "Allow", Resource: q.arn}
		for _, account := range in.AWSAccountIds {
			added.Principal.AWS = append(added.Principal.AWS, "arn:aws:iam::"+account+":root")
		}
		for _, action := range in.Actions {
			added.Action = append(added.Action, "SQS:"+action)
		}
		raw, err := json.Marshal(added)
		if err != nil {
			return err
		}
		p.Statement = append(p.Statement, raw)
		return c.setPolicy(p)
	})
}

func checkPermission(in *addPermissionRequest) *awsjson.Error {
	switch {
	case in.QueueUrl == "":
		return missingParameter("QueueUrl")
	case in.Label == "":
		return missingParameter("Label")
	case len(in.Actions) == 0:
		return missingParameter("Actions")
	case !isBatchID(in.Label):
		return invalidValue(in.Label, "Label",
			"Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.")
	case len(in.AWSAccountIds) == 0 || slices.ContainsFunc(in.AWSAccountIds, isNoAccount):
		return invalidValue(fmt.Sprint(in.AWSAccountIds), "PrincipalId", "Unable to verify.")
	case len(in.Actions) > maxActions:
		return overLimit("%d Actions were found, maximum allowed is %d.", len(in.Actions), maxActions)
	}
	for _, action := range in.Actions {
		if !slices.Contains(shareable, action) {
			return invalidValue("SQS:"+action, "ActionName", "Only the queue owner is allowed to invoke this action.")
		}
	}
	return nil
}

func isNoAccount(id string) bool {
	return len(id) != 12 || strings.ContainsFunc(id, func(r rune) bool { return r < '0' || r > '9' })
}

func (s *Service) removePermission(_ context.Context, in *removePermissionRequest) (*empty, error) {
	if in.QueueUrl == "" {
		return nil, missingParameter("QueueUrl")
	}
	if in.Label == "" {
		return nil, missingParameter("Label")
	}
	return s.change(in.QueueUrl, func(_ *queue, c *config, _ map[string]string) error {
		text := c.set["Policy"]
		if text == "" {
			return invalidValue(in.Label, "Label", "can't find label.")
		}
		p, err := parsePolicy(text)
		if err != nil {
			return invalidAttribute("Policy", "")
		}
		i := p.labelled(in.Label)
		if i < 0 {
			return invalidValue(in.Label, "Label", "can't find label on existing policy.")
		}
		p.Statement = slices.Delete(p.Statement, i, i+1)
		return c.setPolicy(p)
	})
}

// setPolicy replaces the policy; one without statements is none.
func (c *config) setPolicy(p *policy) error {
	text := ""
	if len(p.Statement) > 0 {
		b, err := json.Marshal(p)
		if err != nil {
			return err
		}
		text = string(b)
	}
	changed, err := c.with(map[string]string{"Policy": text})
	if err != nil {
		return err
	}
	*c = changed
	return nil
}
