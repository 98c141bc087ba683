// Package secret fetches the values of secret settings from AWS Systems Manager
// (Parameter Store) and AWS Secrets Manager.
//
// It makes the two calls that this takes itself, in the JSON 1.1 protocol of
// both services and signed with the SDK's signer, since the SDK's clients for
// them are larger than all else that a function needs.
package secret

import (
	"errors"
	"fmt"
	"strings"
)

// Reference says where a value is kept.
type Reference struct {
	// Service is "ssm" or "secretsmanager".
	Service string
	// Name is the name or the ARN of the parameter or secret.
	Name string
	// Key is the member to take of a secret that is a JSON object, "" for the
	// secret itself.
	Key string
}

const (
	ssm            = "ssm"
	secretsManager = "secretsmanager"
)

// Parse reads a reference: ssm:NAME-OR-ARN, or secretsmanager:NAME-OR-ARN with
// an optional #KEY.
func Parse(text string) (Reference, error) {
	service, name, _ := strings.Cut(text, ":")
	r := Reference{Service: service, Name: name}
	switch service {
	case ssm:
	case secretsManager:
		r.Name, r.Key, _ = strings.Cut(name, "#")
	default:
		// The text is not shown: it may be the secret itself, in the wrong place.
		return r, errors.New("what is given says in no known way where the value is kept; write ssm:NAME for a parameter of AWS Systems Manager, or secretsmanager:NAME#KEY for a secret of AWS Secrets Manager")
	}
	if r.Name == "" {
		return r, fmt.Errorf("%q names nothing in %s", text, r.keeper())
	}
	return r, nil
}

// keeper is the service, for people.
func (r Reference) keeper() string {
	if r.Service == ssm {
		return "AWS Systems Manager"
	}
	return "AWS Secrets Manager"
}

// thing is what the service keeps under the name, for people.
func (r Reference) thing() string {
	if r.Service == ssm {
		return "parameter"
	}
	return "secret"
}

// region is that of an ARN, "" for a plain name.
func (r Reference) region() string {
	if parts := strings.SplitN(r.Name, ":", 6); len(parts) == 6 && parts[0] == "arn" {
		return parts[3]
	}
	return ""
}
